// Where backups go, as the settings or somebody typing say it: a folder's path, or s3://bucket/prefix with the settings' access. Separate
// because server, commands and doctor all ask.

import { createS3Store, isS3Address, parseS3Address } from "../adapters/s3/object-store";
import type { Config } from "../config/config";
import type { Clock } from "../foundation/clock";
import { BsoptError } from "../foundation/errors";
import { type BackupPlace, bucketPlace, folderPlace, type ObjectStore } from "../storage/backup-place";

/** A place in a bucket: the store, what names begin with, and how it is written. */
export interface BucketAddress {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly shown: string;
}

/** The place in a bucket that an address means; null: it is a path. Throws `invalid` BACKUP_PLACE_INVALID. */
export function bucketAddress(text: string, { storage }: Config, clock: Clock): BucketAddress | null {
  if (!isS3Address(text)) return null;
  const place = parseS3Address(text);
  if (place === null) throw invalid("The backup's place is no s3://bucket/prefix.");
  const { endpoint, region, accessKeyId, secretAccessKey } = storage.objectStore;
  if (accessKeyId === null || secretAccessKey === null) {
    throw invalid("A backup in a bucket needs backup_s3_access_key and backup_s3_secret_key.");
  }
  const access = { endpoint, region, accessKeyId, secretAccessKey };
  const store = createS3Store({ access, bucket: place.bucket, clock });
  return { store, prefix: place.prefix, shown: `s3://${place.bucket}/${place.prefix}` };
}

/** The schedule's place. Throws as bucketAddress does. */
export function backupPlaceOf(folder: string, config: Config, clock: Clock): BackupPlace {
  const bucket = bucketAddress(folder, config, clock);
  return bucket === null ? folderPlace(folder) : bucketPlace(bucket);
}

function invalid(detail: string): BsoptError {
  const hint = "Write s3://bucket/prefix, and set the access key where only this user reads it.";
  return new BsoptError({ reason: "invalid", code: "BACKUP_PLACE_INVALID", detail, hint });
}
