// Making files, folders and names survive a power cut. Separate because three rooms need it and each part of it is easy to leave out:
// a file's content is durable once the file is synced, its name once the folder is, and the folder's own name once its parent is.

import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes a file's content, or the names in a folder, survive a power cut. Throws the system's error for a file; a folder that the
 * system cannot sync, or that this user may not read, is let be.
 */
export function flush(path: string): void {
  const isFolder = statSync(path).isDirectory();
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, isFolder ? "r" : "r+");
    fsyncSync(descriptor);
  } catch (error) {
    if (!isFolder) throw error;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/**
 * Makes a folder, and those above it, for the owner alone, names included. True where there was none. One that is there is made
 * durable too: whoever made it may have been killed before it was. Throws the system's error.
 */
export function makeFolder(path: string): boolean {
  const folder = resolve(path);
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  const top = dirname(first ?? folder);
  let parent = folder;
  do {
    parent = dirname(parent);
    flush(parent);
  } while (parent !== top && parent !== dirname(parent));
  return first !== undefined;
}
