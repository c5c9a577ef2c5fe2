// What a disk may hold after a power cut: a model of files and folders that knows of every change whether it was made durable by an
// fsync, and gives one of the states that a cut at this moment may leave. Harsher than most file systems: what was not synced may be
// kept or lost sector by sector in any order, a length apart from its data, and a name is only durable once its own folder was
// synced. What it does hold to: a sector is written whole or not at all, as what stood in it at some moment since its last sync;
// what was synced stays; a rename is one change.

import type { Random } from "../../../src/foundation/random";

/** Places in the order of what was logged. A change happens between its beginning and its end. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

type Change =
  | { readonly kind: "write"; readonly offset: number; readonly bytes: Uint8Array; readonly end: number }
  | { readonly kind: "resize"; readonly size: number; readonly end: number };

interface FileNode {
  readonly kind: "file";
  /** Its content comes back as anything at all: a memory-mapped index that is made anew by whoever opens it. */
  readonly isVolatile: boolean;
  /** As a process would read it now. */
  readonly present: Bytes;
  /** As of the last sync. */
  readonly durable: Bytes;
  pending: Change[];
}

interface FolderNode {
  readonly kind: "folder";
  readonly present: Map<string, Node>;
  readonly durable: Map<string, Node>;
}

export type Node = FileNode | FolderNode;

interface NameChange {
  readonly end: number;
  /** One change of one or, in a rename, two names; null where the name goes. */
  readonly parts: readonly { readonly folder: FolderNode; readonly name: string; readonly node: Node | null }[];
}

/** Which syncs count. Anything but "all" is a disk that lies, for showing that the tests would notice. */
export type Honesty = "all" | "none" | "no folders" | "no logs";

/** Paths below the disk's top and what stands there; folders are null. */
export type Image = Map<string, Uint8Array | null>;

export class Disk {
  readonly #top: FolderNode = folder();
  #names: NameChange[] = [];
  readonly #honesty: Honesty;

  constructor(honesty: Honesty = "all") {
    this.#honesty = honesty;
  }

  /** What stands at that path now; null where nothing does. */
  find(path: string): Node | null {
    let node: Node = this.#top;
    for (const name of partsOf(path)) {
      if (node.kind !== "folder") return null;
      const next: Node | undefined = node.present.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  makeFolder(path: string, { end }: Span): void {
    this.#rename([{ path, node: folder() }], end);
  }

  makeFile(path: string, { end }: Span): FileNode {
    const node: FileNode = {
      kind: "file",
      isVolatile: path.endsWith("-shm"),
      present: new Bytes(),
      durable: new Bytes(),
      pending: [],
    };
    this.#rename([{ path, node }], end);
    return node;
  }

  link(from: string, to: string, { end }: Span): void {
    this.#rename([{ path: to, node: this.#required(from) }], end);
  }

  rename(from: string, to: string, { end }: Span): void {
    const node = this.#required(from);
    this.#rename(
      [
        { path: from, node: null },
        { path: to, node },
      ],
      end,
    );
  }

  remove(path: string, { end }: Span): void {
    this.#rename([{ path, node: null }], end);
  }

  write(node: Node, offset: number, bytes: Uint8Array, { end }: Span): void {
    const file = fileOf(node);
    file.present.write(offset, bytes);
    file.pending.push({ kind: "write", offset, bytes, end });
  }

  resize(node: Node, size: number, { end }: Span): void {
    const file = fileOf(node);
    if (file.present.size === size) return;
    file.present.resize(size);
    file.pending.push({ kind: "resize", size, end });
  }

  /** What was done before the sync began is durable from now on. */
  sync(node: Node, { begin }: Span): void {
    if (this.#honesty === "none") return;
    if (node.kind === "folder") {
      if (this.#honesty === "no folders") return;
      this.#names = this.#names.filter((change) => {
        if (change.end >= begin || !change.parts.some((part) => part.folder === node)) return true;
        apply(change, (part) => part.durable);
        return false;
      });
      return;
    }
    if (this.#honesty === "no logs" && node === this.#logOf(node)) return;
    const settled = node.pending.filter(({ end }) => end < begin);
    for (const change of settled) applyTo(node.durable, change);
    node.pending = node.pending.filter(({ end }) => end >= begin);
  }

  /** The state that processes see now. */
  presentImage(): Image {
    return imageOf(
      this.#top,
      (node) => node.present,
      (file) => file.present.copy(),
    );
  }

  /** One of the states that a cut at this moment may leave. */
  cut(random: Random): Image {
    const names = new Map<FolderNode, Map<string, Node>>();
    const entriesOf = (node: FolderNode) => {
      const known = names.get(node) ?? new Map(node.durable);
      names.set(node, known);
      return known;
    };
    const likelihoodOf = likelihoods(random, this.#names.length);
    for (const [index, change] of this.#names.entries()) {
      if (random.unit() < likelihoodOf(index)) apply(change, entriesOf);
    }
    const sectorBytes = random.unit() < 0.5 ? 512 : 4096;
    const hasGarbage = random.unit() < 0.5;
    return imageOf(this.#top, entriesOf, (file) => cutFile(file, { random, sectorBytes, hasGarbage }));
  }

  #logOf(node: FileNode): FileNode | null {
    const isLog = (at: FolderNode): boolean =>
      [...at.present].some(([name, found]) =>
        found.kind === "folder" ? isLog(found) : found === node && name.endsWith("-wal"),
      );
    return isLog(this.#top) ? node : null;
  }

  #required(path: string): Node {
    const node = this.find(path);
    if (node === null) throw new Error(`the model knows of nothing at ${path}`);
    return node;
  }

  #rename(parts: readonly { path: string; node: Node | null }[], end: number): void {
    const change: NameChange = {
      end,
      parts: parts.map(({ path, node }) => {
        const names = partsOf(path);
        const name = names.pop();
        const parent = this.find(names.join("/"));
        if (parent?.kind !== "folder" || name === undefined)
          throw new Error(`the model knows of no folder for ${path}`);
        return { folder: parent, name, node };
      }),
    };
    apply(change, (at) => at.present);
    this.#names.push(change);
  }
}

function folder(): FolderNode {
  return { kind: "folder", present: new Map(), durable: new Map() };
}

function fileOf(node: Node): FileNode {
  if (node.kind !== "file") throw new Error("a folder was written as a file");
  return node;
}

const partsOf = (path: string) => path.split("/").filter((part) => part !== "" && part !== ".");

function apply(change: NameChange, entriesOf: (folder: FolderNode) => Map<string, Node>): void {
  for (const { folder: at, name, node } of change.parts) {
    if (node === null) entriesOf(at).delete(name);
    else entriesOf(at).set(name, node);
  }
}

function applyTo(bytes: Bytes, change: Change): void {
  if (change.kind === "write") bytes.write(change.offset, change.bytes);
  else bytes.resize(change.size);
}

function imageOf(
  top: FolderNode,
  entriesOf: (folder: FolderNode) => Map<string, Node>,
  contentOf: (file: FileNode) => Uint8Array,
): Image {
  const image: Image = new Map();
  const walk = (at: FolderNode, path: string) => {
    for (const [name, node] of entriesOf(at)) {
      const below = path === "" ? name : `${path}/${name}`;
      image.set(below, node.kind === "folder" ? null : contentOf(node));
      if (node.kind === "folder") walk(node, below);
    }
  };
  walk(top, "");
  return image;
}

/**
 * Gives for each of `count` changes in order how likely each sector of it is kept: none, all, those up to a moment, those from a moment
 * on (a disk reorders), or each by chance. The change at the moment is torn.
 */
function likelihoods(random: Random, count: number): (index: number) => number {
  const moment = Math.floor(random.unit() * count);
  const share = [0.1, 0.5, 0.9][Math.floor(random.unit() * 3)]!;
  switch (Math.floor(random.unit() * 5)) {
    case 0:
      return () => 0;
    case 1:
      return () => 1;
    case 2:
      return (index) => (index < moment ? 1 : index === moment ? share : 0);
    case 3:
      return (index) => (index > moment ? 1 : index === moment ? share : 0);
    default:
      return () => share;
  }
}

interface CutOptions {
  readonly random: Random;
  readonly sectorBytes: number;
  /** What a file was lengthened by without its data having been written is anything, not zeros. */
  readonly hasGarbage: boolean;
}

function cutFile(file: FileNode, options: CutOptions): Uint8Array {
  const { random } = options;
  if (file.isVolatile) return random.bytes(Math.floor(random.unit() * 40_000));
  const { durable, pending } = file;
  if (pending.length === 0) return durable.copy();
  // Shortening gives sectors back and writes nothing into them: what was done to the file before and after it is never mixed. So many
  // of the shortenings have reached the disk.
  const shortenings = shorteningsOf(durable.size, pending);
  const reachedCount = Math.floor(random.unit() * (shortenings.length + 1));
  let base = durable;
  let begin = 0;
  for (const index of shortenings.slice(0, reachedCount)) {
    base = new Bytes(cutBetween(base, pending.slice(begin, index), options));
    applyTo(base, pending[index]!);
    begin = index + 1;
  }
  return cutBetween(base, pending.slice(begin, shortenings[reachedCount]), options);
}

/** The places of changes that make the file shorter. */
function shorteningsOf(durableSize: number, pending: readonly Change[]): number[] {
  const places: number[] = [];
  let size = durableSize;
  for (const [index, change] of pending.entries()) {
    if (change.kind === "resize" && change.size < size) places.push(index);
    size = change.kind === "resize" ? change.size : Math.max(size, change.offset + change.bytes.byteLength);
  }
  return places;
}

/** What a cut leaves of changes that lengthen a file or write into it, on what was there. */
function cutBetween(
  durable: Bytes,
  pending: readonly Change[],
  { random, sectorBytes, hasGarbage }: CutOptions,
): Uint8Array {
  if (pending.length === 0) return durable.copy();
  const sizes = [durable.size];
  const bySector = new Map<number, number[]>();
  for (const [index, change] of pending.entries()) {
    const last = change.kind === "write" ? change.offset + change.bytes.byteLength : change.size;
    sizes.push(Math.max(sizes[index]!, last));
    if (change.kind === "resize") continue;
    for (let sector = Math.floor(change.offset / sectorBytes); sector * sectorBytes < last; sector++) {
      const known = bySector.get(sector);
      if (known) known.push(index);
      else bySector.set(sector, [index]);
    }
  }

  const likelihoodOf = likelihoods(random, pending.length);
  // A sector that is written out at a moment holds all that was done to it by then.
  const versions = new Map<number, number>();
  let lastKept = -1;
  for (const [sector, changes] of bySector) {
    const version = changes.findLast((index) => random.unit() < likelihoodOf(index));
    if (version === undefined) continue;
    versions.set(sector, version);
    lastKept = Math.max(lastKept, version);
  }
  // The length is written by itself: mostly as far as the data goes, sometimes as at any moment since the sync.
  const sizeIndex = random.unit() < 0.6 ? lastKept + 1 : Math.floor(random.unit() * sizes.length);
  const size = sizes[sizeIndex]!;
  const result = new Uint8Array(size);
  if (hasGarbage && size > durable.size) result.set(random.bytes(size - durable.size), durable.size);
  result.set(durable.view().subarray(0, Math.min(size, durable.size)));
  for (const [sector, version] of versions) {
    const from = sector * sectorBytes;
    const content = new Bytes(new Uint8Array(sectorBytes));
    content.write(0, durable.view().subarray(from, from + sectorBytes));
    for (const index of bySector.get(sector)!) {
      if (index > version) break;
      const change = pending[index]!;
      if (change.kind === "write") content.overlay(change.offset - from, change.bytes);
    }
    if (from < size) result.set(content.view().subarray(0, Math.min(sectorBytes, size - from)), from);
  }
  return result;
}

/** Bytes that grow. */
class Bytes {
  #buffer: Uint8Array;
  #size: number;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#buffer = bytes;
    this.#size = bytes.byteLength;
  }

  get size(): number {
    return this.#size;
  }

  view(): Uint8Array {
    return this.#buffer.subarray(0, this.#size);
  }

  copy(): Uint8Array {
    return this.view().slice();
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#reserve(offset + bytes.byteLength);
    this.#buffer.set(bytes, offset);
    this.#size = Math.max(this.#size, offset + bytes.byteLength);
  }

  resize(size: number): void {
    this.#reserve(size);
    if (size < this.#size) this.#buffer.fill(0, size, this.#size);
    this.#size = size;
  }

  /** Writes what of these bytes falls inside; the size stays. */
  overlay(offset: number, bytes: Uint8Array): void {
    const from = Math.max(0, offset);
    const to = Math.min(this.#size, offset + bytes.byteLength);
    if (to > from) this.#buffer.set(bytes.subarray(from - offset, to - offset), from);
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(size, this.#buffer.byteLength * 2, 4096));
    larger.set(this.view());
    this.#buffer = larger;
  }
}
