import { resolve } from "node:path";
import type { ClassicLevel } from "classic-level";
import { errorCode, isError } from "../base/errors.js";
import { LevelFolder } from "./level-folder.js";
import type { Seal } from "./seal.js";
import type { SpoolEntry, SpoolOperation, SpoolStore } from "./spool-store.js";

/**
 * - `opened`: this process has the store
 * - `locked`: another process has it, or this one has it open already
 * - `damaged`: it cannot be read as it is
 * - `failed`: the disk or the system says no
 */
export type OpenedStore =
  | { readonly kind: "opened"; readonly store: SpoolStore }
  | { readonly kind: "locked" | "damaged" }
  | { readonly kind: "failed"; readonly error: unknown };

/** How a store is opened. */
export interface LevelOptions {
  readonly seal: Seal;
  /** Whether a write waits until the disk has it, so that it survives the loss of power. */
  readonly sync: boolean;
}

type Level = ClassicLevel<string, Buffer>;

/**
 * What is open in this process. LevelDB's lock belongs to the process: a second attempt is refused, but lets go of the lock, and
 * then other processes take the store for that of a dead one.
 */
const openFolders: Set<string> = new Set();

/** Opens the LevelDB in this folder, and creates one if there is none. Never rejects. */
export async function openLevelStore(folder: string, options: LevelOptions): Promise<OpenedStore> {
  const path = resolve(folder);
  if (openFolders.has(path)) return { kind: "locked" };
  openFolders.add(path);
  try {
    const level = await newLevel(folder);
    await level.open();
    return { kind: "opened", store: new LevelStore(level, path, options) };
  } catch (error) {
    openFolders.delete(path);
    const code = levelCodeOf(error);
    if (code === "LEVEL_LOCKED") return { kind: "locked" };
    return code === "LEVEL_CORRUPTION" ? { kind: "damaged" } : { kind: "failed", error };
  }
}

/** Whether somebody has the store in this folder open. */
export async function isLevelLocked(folder: string): Promise<boolean> {
  if (openFolders.has(resolve(folder))) return true;
  // It takes the lock, and then refuses both what is there and what is not.
  const level = await newLevel(folder, { createIfMissing: false, errorIfExists: true });
  try {
    await level.open();
    await level.close();
    return false;
  } catch (error) {
    return levelCodeOf(error) === "LEVEL_LOCKED";
  }
}

/** It begins to open by itself, so all options are given here. */
async function newLevel(
  folder: string,
  options?: { createIfMissing: boolean; errorIfExists: boolean },
): Promise<Level> {
  const { ClassicLevel: Class } = await import("classic-level");
  // What is stored lives for milliseconds as a rule: compressing it costs more than it saves.
  return new Class<string, Buffer>(folder, { valueEncoding: "buffer", compression: false, ...options });
}

/** LevelDB's own code, which stands in the cause. */
function levelCodeOf(error: unknown): string | undefined {
  return errorCode(isError(error) && isError(error.cause) ? error.cause : error);
}

class LevelStore implements SpoolStore {
  readonly #level: Level;
  readonly #path: string;
  readonly #options: LevelOptions;
  readonly #folder: LevelFolder;

  constructor(level: Level, path: string, options: LevelOptions) {
    this.#level = level;
    this.#path = path;
    this.#options = options;
    this.#folder = new LevelFolder(path, options.sync);
  }

  async write(operations: readonly SpoolOperation[]): Promise<void> {
    const { seal, sync } = this.#options;
    const changes = operations.map((one) => {
      if (one.type === "del") return { type: "del" as const, key: one.key };
      const value = one.type === "put" ? seal.seal(one.key, one.value) : Buffer.from(one.sealed);
      return { type: "put" as const, key: one.key, value };
    });
    // A removal that is lost brings an event twice, which readers expect: it need not wait for the disk.
    const puts = changes.filter((one) => one.type === "put");
    await this.#level.batch(changes, { sync: sync && puts.length > 0 });
    if (puts.length > 0) await this.#folder.written(puts.reduce((sum, { value }) => sum + value.length, 0));
  }

  async read({
    after,
    before,
    limit,
  }: {
    readonly after: string;
    readonly before: string;
    readonly limit: number;
  }): Promise<SpoolEntry[]> {
    const found = await this.#level.iterator({ gt: after, lt: before, limit }).all();
    return found.map(([key, sealed]) => ({ key, value: this.#options.seal.open(key, sealed), sealed }));
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const sealed = await this.#level.get(key);
    return sealed === undefined ? undefined : this.#options.seal.open(key, sealed);
  }

  async close(): Promise<void> {
    await this.#level.close();
    openFolders.delete(this.#path);
  }
}
