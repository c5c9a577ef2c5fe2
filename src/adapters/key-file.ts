// A file in the data folder that holds one key: the first administrator's, or the master key. Separate because whoever decides
// what goes in it never touches a disk. The file appears whole or not at all: it is written beside its place,
// made durable, and linked into place, which fails where a file is already there. Nobody but its owner can read it.

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { flush, makeFolder } from "../foundation/durable";
import { BsoptError } from "../foundation/errors";

/** Everything a key file does; identity asks for this shape. */
export interface KeyFile {
  readonly path: string;
  /** Its text without the line's end, or null where there is no file. */
  read(): string | null;
  /** Makes it, whole and durable, with mode 0600. False, and untouched, where it exists. */
  create(text: string): boolean;
  remove(): void;
}

const textLengthMax = 1024;

export interface KeyFileOptions {
  /** What the file holds, in the words of a failure. */
  readonly holds?: string;
  /** Gives a finished file its second name; a test brings one that fails as a disk without links does. */
  readonly link?: typeof linkSync;
}

/** The key file at that path, which need not exist; making it makes its folder, for its owner alone. Failures of the disk throw `unavailable`. */
export function openKeyFile(path: string, options: KeyFileOptions = {}): KeyFile {
  const { holds = "the first administrator's key", link = linkSync } = options;
  const failed = (act: string, cause: unknown) =>
    new BsoptError({
      reason: "unavailable",
      code: "KEY_FILE_UNAVAILABLE",
      detail: `The file of ${holds} cannot be ${act}.`,
      hint: `Look at ${path}: its folder must exist and belong to the user this runs as.`,
      cause,
    });
  return {
    path,
    read() {
      try {
        return readRegular(path).trimEnd();
      } catch (error) {
        if (codeOf(error) === "ENOENT") return null;
        throw failed("read", error);
      }
    },
    create(text) {
      try {
        // The database may live elsewhere, and then nobody has made this folder yet.
        makeFolder(dirname(path));
      } catch (error) {
        throw failed("made", error);
      }
      try {
        // A folder of its own, because the system names it so that no other start can mean the same one.
        const draftFolder = mkdtempSync(join(dirname(path), `.${basename(path)}-`));
        try {
          const draft = join(draftFolder, "draft");
          writeDurably(draft, text);
          link(draft, path);
        } finally {
          rmSync(draftFolder, { recursive: true, force: true });
        }
        flush(dirname(path));
        return true;
      } catch (error) {
        if (codeOf(error) === "EEXIST") {
          // Whoever made it may not have come to this, and it will be relied on.
          flush(dirname(path));
          return false;
        }
        if (!linklessCodes.has(codeOf(error) ?? "")) throw failed("made", error);
      }
      // A disk without links: still exclusive, but a crash in the middle leaves a file that the next start names.
      try {
        writeDurably(path, text);
        flush(dirname(path));
        return true;
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false;
        throw failed("made", error);
      }
    },
    remove() {
      try {
        rmSync(path, { force: true });
      } catch (error) {
        throw failed("removed", error);
      }
    },
  };
}

/** The beginning of a file. What is no file is refused without a wait: opening a pipe would wait for whoever writes into it, for ever. */
function readRegular(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!fstatSync(descriptor).isFile()) throw new Error("it is not a file");
    const bytes = Buffer.alloc(textLengthMax);
    return bytes.toString("utf8", 0, readSync(descriptor, bytes, 0, textLengthMax, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** What linkSync says where the disk has no links (FAT, some shared folders). */
const linklessCodes: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL", "EMLINK"]);

function writeDurably(path: string, text: string): void {
  const descriptor = openSync(path, "wx", 0o600);
  try {
    writeSync(descriptor, `${text}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
