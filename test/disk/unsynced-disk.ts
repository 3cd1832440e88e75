import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Random } from "../support/random.js";
import type { DiskCall } from "./recorded-calls.js";

/** Disks write so many bytes at once, or none of them. */
const sectorBytes = 512;

interface Write {
  readonly call: number;
  readonly at: number;
  /** Undefined if the file was emptied. */
  readonly data: Buffer | undefined;
}

interface File {
  readonly kind: "file";
  /** What the disk has, and what it may have. */
  kept: Buffer;
  pending: Write[];
  size: number;
}

/** One change of a folder, which happens as a whole. */
interface Naming {
  readonly call: number;
  readonly removed: string | undefined;
  readonly added: { readonly name: string; readonly node: Node } | undefined;
}

interface Folder {
  readonly kind: "folder";
  readonly kept: Map<string, Node>;
  pending: Naming[];
  /** What the process sees. */
  readonly names: Map<string, Node>;
}

type Node = File | Folder;

/** What was not synced and became of it, in one loss of power. */
export interface Losses {
  /** Writes and changes of names that are gone, and writes of which a part is. */
  writes: number;
  names: number;
  torn: number;
}

/** How much of what was not synced is there: nothing, all, what came first, or any of it. */
const fates = ["none", "all", "first", "any"] as const;
type Fate = (typeof fates)[number];

/**
 * A disk that keeps what was synced, and of all else what chance wants: POSIX promises no more. A write may be torn at sectors,
 * later ones may be there without earlier ones, and so may names, which belong to their folder: to sync a file keeps none.
 */
export class UnsyncedDisk {
  readonly #root: Folder = newFolder();
  readonly #top: string;
  #calls = 0;

  /** `top` is there from the start. */
  constructor(top: string) {
    this.#top = top;
  }

  /** Does what the process did. */
  apply(call: DiskCall): void {
    this.#calls += 1;
    switch (call.do) {
      case "mark":
        return;
      case "create":
        this.#create(call.path, call.isEmptied);
        return;
      case "write": {
        const file = this.#file(call.path);
        file.pending.push({ call: this.#calls, at: file.size, data: call.data });
        file.size += call.data.length;
        return;
      }
      case "sync":
        this.#sync(this.#node(call.path), call.seen);
        return;
      case "mkdir":
        this.#name(call.path, undefined, newFolder());
        return;
      case "unlink":
      case "rmdir":
        this.#name(call.path, basename(call.path), undefined);
        return;
      case "rename":
        if (dirname(call.path) !== dirname(call.to)) throw new Error("nobody has thought of a move to another folder");
        this.#name(call.to, basename(call.path), this.#node(call.path));
    }
  }

  /** The power is lost. Writes to a folder what the disk has when it is back. */
  lose(random: Random, to: string): Losses {
    const losses: Losses = { writes: 0, names: 0, torn: 0 };
    const [names, writes] = [random.pick(fates), random.pick(fates)];
    function restore(node: Node, path: string): void {
      if (node.kind === "file") {
        writeFileSync(path, contentOf(node, writes, random, losses));
        return;
      }
      mkdirSync(path, { recursive: true });
      for (const [name, inner] of namesOf(node, names, random, losses)) restore(inner, join(path, name));
    }
    restore(this.#root, to);
    return losses;
  }

  #create(path: string, isEmptied: boolean): void {
    const there = this.#folder(dirname(path)).names.get(basename(path));
    if (there === undefined) {
      this.#name(path, undefined, { kind: "file", kept: Buffer.alloc(0), pending: [], size: 0 });
    } else if (isEmptied && there.kind === "file") {
      there.pending.push({ call: this.#calls, at: 0, data: undefined });
      there.size = 0;
    }
  }

  #name(path: string, removed: string | undefined, node: Node | undefined): void {
    const folder = this.#folder(dirname(path));
    const added = node && { name: basename(path), node };
    folder.pending.push({ call: this.#calls, removed, added });
    rename(folder.names, { removed, added });
  }

  #sync(node: Node, seen: number): void {
    const isSeen = ({ call }: { readonly call: number }): boolean => call <= seen;
    if (node.kind === "folder") {
      for (const naming of node.pending.filter(isSeen)) rename(node.kept, naming);
      node.pending = node.pending.filter((naming) => !isSeen(naming));
    } else {
      for (const write of node.pending.filter(isSeen)) node.kept = written(node.kept, write);
      node.pending = node.pending.filter((write) => !isSeen(write));
    }
  }

  #node(path: string): Node {
    if (path === this.#top) return this.#root;
    const node = this.#folder(dirname(path)).names.get(basename(path));
    if (node === undefined) throw new Error(`${path} was not there`);
    return node;
  }

  #folder(path: string): Folder {
    const node = this.#node(path);
    if (node.kind === "file") throw new Error(`${path} is not a folder`);
    return node;
  }

  #file(path: string): File {
    const node = this.#node(path);
    if (node.kind === "folder") throw new Error(`${path} is a folder`);
    return node;
  }
}

function newFolder(): Folder {
  return { kind: "folder", kept: new Map(), pending: [], names: new Map() };
}

function rename(names: Map<string, Node>, { removed, added }: Omit<Naming, "call">): void {
  if (removed !== undefined) names.delete(removed);
  if (added !== undefined) names.set(added.name, added.node);
}

function survivors<T>(pending: readonly T[], fate: Fate, random: Random): T[] {
  if (fate === "none") return [];
  if (fate === "all") return [...pending];
  if (fate === "first") return pending.slice(0, random.below(pending.length + 1));
  return pending.filter(() => random.below(2) === 0);
}

function namesOf(folder: Folder, fate: Fate, random: Random, losses: Losses): Map<string, Node> {
  const kept = survivors(folder.pending, fate, random);
  losses.names += folder.pending.length - kept.length;
  const names = new Map(folder.kept);
  for (const naming of kept) rename(names, naming);
  return names;
}

function contentOf(file: File, fate: Fate, random: Random, losses: Losses): Buffer {
  const kept = survivors(file.pending, fate, random);
  losses.writes += file.pending.length - kept.length;
  // What was never written is empty, or has what lay there before.
  const filler = random.below(3) === 0 ? random.below(256) : 0;
  const tears = fate === "any" || fate === "first";
  let content = file.kept;
  for (const write of kept) {
    const isTorn = tears && random.below(3) === 0;
    if (isTorn) losses.torn += 1;
    content = written(content, write, filler, () => !isTorn || random.below(2) === 0);
  }
  // The file may be as long as it was, without its content.
  const isLong = random.below(2) === 0 && content.length < file.size;
  return isLong ? Buffer.concat([content, Buffer.alloc(file.size - content.length, filler)]) : content;
}

function written(content: Buffer, { at, data }: Write, filler = 0, isKept: () => boolean = () => true): Buffer {
  if (data === undefined) return Buffer.alloc(0);
  const changed = Buffer.alloc(Math.max(content.length, at + data.length), filler);
  content.copy(changed);
  for (let start = at; start < at + data.length; ) {
    const end = Math.min(at + data.length, (Math.floor(start / sectorBytes) + 1) * sectorBytes);
    if (isKept()) data.copy(changed, start, start - at, end - at);
    start = end;
  }
  return changed;
}
