// A bucket of an S3-speaking service, over the runtime's own client: whole files up and down, small texts, lists. Separate because it is
// somebody else's protocol; what stands in the bucket and what is a backup is storage's to know. The client waits for ever, so
// each call has a time of its own here. It must never put a key into an error or a log.

import type { Clock } from "../../foundation/clock";
import { BsoptError } from "../../foundation/errors";

/** What is needed to speak with a bucket. */
export interface S3Access {
  /** http:// or https://; null: Amazon's own for the region. */
  readonly endpoint: string | null;
  readonly region: string;
  readonly accessKeyId: string;
  /** A secret. */
  readonly secretAccessKey: string;
}

export interface S3Place {
  readonly bucket: string;
  /** What objects' names begin with, ending in a slash, or "". */
  readonly prefix: string;
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
}

/** What storage asks of a bucket. Every call throws BsoptError `unavailable` OBJECT_STORE_FAILED where it fails or takes too long. */
export interface S3Store {
  /** Uploads a file, in parts where it is large. */
  putFile(key: string, path: string): Promise<void>;
  putText(key: string, text: string): Promise<void>;
  /** Null where there is no such object. */
  getText(key: string): Promise<string | null>;
  /** Downloads into a new file. */
  getFile(key: string, path: string, onBytes?: (count: number) => void): Promise<void>;
  /** Every object whose name begins so, up to 100,000. */
  list(prefix: string): Promise<readonly StoredObject[]>;
  remove(key: string): Promise<void>;
}

const scheme = "s3://";
const partsMax = 9_000;
const partBytesMin = 8 * 1024 * 1024;
const callMillisecondsMax = 30_000;
/** Beside that of a call: a slow line carries a mebibyte in two seconds. */
const millisecondsPerMebibyteMax = 2_000;
const partTries = 3;
const pageCountMax = 100;
const textBytesMax = 4 * 1024 * 1024;

export function isS3Address(text: string): boolean {
  return text.startsWith(scheme);
}

/** `s3://bucket/some/prefix`, with or without a slash at the end; null where it is no such address. */
export function parseS3Address(text: string): S3Place | null {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9!_.*'()/-]*))?$/.exec(text);
  if (match === null) return null;
  const path = (match[2] ?? "").replace(/\/+$/, "");
  if (
    path.split("/").some((part, index) => (part === "" && path !== "") || part === ".." || (part === "." && index >= 0))
  )
    return null;
  return { bucket: match[1]!, prefix: path === "" ? "" : `${path}/` };
}

export function createS3Store({ access, bucket, clock }: { access: S3Access; bucket: string; clock: Clock }): S3Store {
  const { endpoint, region, accessKeyId, secretAccessKey } = access;
  const client = new Bun.S3Client({
    ...{ accessKeyId, secretAccessKey, region, bucket },
    endpoint: endpoint ?? `https://s3.${region}.amazonaws.com`,
  });

  /** One call within its time; what goes on behind it after that is nobody's any more. */
  async function within<T>(work: () => Promise<T>, byteCount = 0): Promise<T> {
    const inTime = new AbortController();
    const milliseconds = callMillisecondsMax + (byteCount / 1_048_576) * millisecondsPerMebibyteMax;
    const late = clock.sleep(milliseconds, inTime.signal).then((): never => {
      throw failed("no answer in time", undefined);
    });
    // Once the work has won nobody waits for this any more.
    late.catch(() => undefined);
    try {
      return await Promise.race([work(), late]);
    } catch (error) {
      throw error instanceof BsoptError ? error : failed(codeOf(error), error);
    } finally {
      inTime.abort();
    }
  }

  return {
    async putFile(key, path) {
      const file = Bun.file(path);
      const partSize = Math.max(partBytesMin, Math.ceil(file.size / partsMax));
      await within(() => client.write(key, file, { partSize, queueSize: 2, retry: partTries }), file.size);
      // A part that was cut short would show here and not at a restore.
      const { size } = await within(() => client.stat(key));
      if (size !== file.size) throw failed(`it has ${size} bytes where ${file.size} were sent`, undefined);
    },
    async putText(key, text) {
      await within(() => client.write(key, text, { retry: partTries }), text.length);
    },
    async getText(key) {
      try {
        return await within(() => client.file(key).slice(0, textBytesMax).text(), textBytesMax);
      } catch (error) {
        if (error instanceof BsoptError && codeOf(error.cause) === "NoSuchKey") return null;
        throw error;
      }
    },
    async getFile(key, path, onBytes) {
      const { size } = await within(() => client.stat(key));
      const sink = Bun.file(path).writer({ highWaterMark: 1 << 20 });
      await within(async () => {
        try {
          for await (const chunk of client.file(key).stream() as unknown as AsyncIterable<Uint8Array>) {
            sink.write(chunk);
            await sink.flush();
            onBytes?.(chunk.byteLength);
          }
        } finally {
          await sink.end();
        }
      }, size);
    },
    async list(prefix) {
      const found: StoredObject[] = [];
      let continuationToken: string | undefined;
      for (let page = 0; page < pageCountMax; page++) {
        const answer = await within(() =>
          client.list({ prefix, maxKeys: 1000, ...(continuationToken !== undefined && { continuationToken }) }),
        );
        for (const { key, size = 0 } of answer.contents ?? []) found.push({ key, bytes: size });
        continuationToken = answer.isTruncated ? answer.nextContinuationToken : undefined;
        if (continuationToken === undefined) break;
      }
      return found;
    },
    async remove(key) {
      await within(() => client.delete(key));
    },
  };
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" && /^[A-Za-z0-9_]{1,60}$/.test(code) ? code : "it cannot be reached";
}

function failed(what: string, cause: unknown): BsoptError {
  return new BsoptError({
    reason: "unavailable",
    code: "OBJECT_STORE_FAILED",
    detail: `The object store did not do what it was asked: ${what}.`,
    hint: "Look at backup_s3_endpoint, the bucket's name and what the access key may do: list, read, write and delete objects.",
    cause,
  });
}
