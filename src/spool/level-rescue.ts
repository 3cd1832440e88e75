import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../base/errors.js";
import { type FoundChange, type FoundRecords, readLog, readManifest, readTable } from "./level-files.js";

/**
 * How the files of a store are.
 *
 * - `sound`: LevelDB opens them, and finds all
 * - `unfinished`: all is there, but who opened it last did not come to an end. LevelDB would go by what was before, and the loss
 *   of power may have left some of that, and some of what was to replace it
 * - `damaged`: something that the store needs is missing, or is not what was written
 */
export type LevelHealth = "sound" | "unfinished" | "damaged";

/** What lies in a folder of LevelDB. */
interface LevelNames {
  readonly logs: readonly number[];
  readonly tables: readonly number[];
  readonly manifests: readonly number[];
}

/** Reads all that a store needs, and changes nothing. Rejects if the disk cannot be read. */
export async function examineLevel(folder: string): Promise<LevelHealth> {
  const names = await readNames(folder);
  const isEmpty = names.logs.length === 0 && names.tables.length === 0;
  const current = await readIfThere(join(folder, "CURRENT"));
  // It is new: LevelDB makes the rest.
  if (isEmpty && current === undefined) return "sound";
  const [, number] = /^MANIFEST-(\d+)\n$/.exec(Buffer.from(current ?? []).toString()) ?? [];
  const manifest = number === undefined ? undefined : await readIfThere(join(folder, `MANIFEST-${number}`));
  const version = manifest && readManifest(manifest);
  if (version === undefined) return isEmpty ? "unfinished" : "damaged";
  // A log that is needed stays until a manifest says that it no longer is.
  if (version.log > 0 && !names.logs.includes(version.log)) return "damaged";
  for (const log of names.logs) {
    if (log >= version.log && !(await isSound(folder, `${named(log)}.log`, readLog))) return "damaged";
  }
  for (const table of version.tables) {
    if (!(await isSound(folder, `${named(table)}.ldb`, readTable))) return "damaged";
  }
  return names.manifests.some((other) => other > Number(number)) ? "unfinished" : "sound";
}

/** What could be saved of a store: each key once, with the bytes that lie under it. */
export interface SavedEntry {
  readonly key: string;
  readonly sealed: Uint8Array;
}

/** What the owner of a store knows of its entries. */
export interface Meaning {
  /** Whether these are the bytes that were stored under this key. */
  isGenuine(key: string, sealed: Uint8Array): boolean;
  /** The key that was removed by the same write as this entry was made. */
  replacedBy(key: string, sealed: Uint8Array): string | undefined;
}

/**
 * Reads all that is left of a store, whatever has happened to it, file by file, and changes nothing. What no checksum of LevelDB
 * covers any more is only taken if it is genuine, so that nothing is invented. Rejects if the disk cannot be read.
 */
export async function* readSurvivors(folder: string, meaning: Meaning): AsyncGenerator<SavedEntry[]> {
  const isLeft = await readLeft(folder, meaning);
  for await (const changes of readFiles(folder)) {
    const saved = new Map<string, Uint8Array>();
    for (const change of changes) if (change.value !== undefined && isLeft(change)) saved.set(change.key, change.value);
    yield Array.from(saved, ([key, sealed]) => ({ key, sealed }));
  }
}

/** Which changes still hold. A removal that cannot be trusted does not count: an event may come twice, but none is lost. */
async function readLeft(folder: string, meaning: Meaning): Promise<(change: FoundChange) => boolean> {
  const newest = new Map<string, number>();
  const replaced = new Set<string>();

  function note({ key, sequence, value, isSound: isKnown }: FoundChange): void {
    if (isKnown) newest.set(key, Math.max(sequence, newest.get(key) ?? 0));
    // The removal itself may be lost.
    const gone = value === undefined ? undefined : meaning.replacedBy(key, value);
    if (gone !== undefined) replaced.add(gone);
  }

  for await (const changes of readFiles(folder)) for (const change of changes) note(change);
  return ({ key, sequence, value, isSound: isKnown }) => {
    if (value === undefined || replaced.has(key)) return false;
    return isKnown ? sequence === newest.get(key) : !newest.has(key) && meaning.isGenuine(key, value);
  };
}

async function* readFiles(folder: string): AsyncGenerator<Iterable<FoundChange>> {
  const { logs, tables } = await readNames(folder);
  for (const table of tables) yield readTable(await readFile(join(folder, `${named(table)}.ldb`))).found;
  for (const log of logs) yield readLog(await readFile(join(folder, `${named(log)}.log`))).found;
}

async function isSound(
  folder: string,
  name: string,
  read: (bytes: Uint8Array) => FoundRecords<FoundChange>,
): Promise<boolean> {
  const bytes = await readIfThere(join(folder, name));
  return bytes !== undefined && read(bytes).isSound;
}

async function readNames(folder: string): Promise<LevelNames> {
  const names = await readdir(folder);
  const numbersOf = (pattern: RegExp): number[] =>
    names
      .flatMap((name) => pattern.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  return {
    logs: numbersOf(/^(\d+)\.log$/),
    tables: numbersOf(/^(\d+)\.ldb$/),
    manifests: numbersOf(/^MANIFEST-(\d+)$/),
  };
}

/** As LevelDB writes a number in a name. */
function named(number: number): string {
  return String(number).padStart(6, "0");
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
