import { errorCode, errorMessage } from "../base/errors.js";
import type { DiskLane } from "./disk-lane.js";
import { endOrLeave, makeFolder, newFolder, openSpool } from "./spool-folder.js";
import type { SpoolSettings } from "./spool-options.js";
import type { SpoolEntry, SpoolOperation, SpoolStore } from "./spool-store.js";

/** After a failure, so long passes before the store is opened again. */
const pauseMs = 1_000;

/**
 * The store of this process: opened when it is first written to, and again after a failure, since LevelDB takes nothing more
 * after one.
 */
export class OwnStore implements SpoolStore {
  readonly #settings: SpoolSettings;
  readonly #lane: DiskLane;
  readonly #folders: Set<string> = new Set();
  #folder: string | undefined;
  #opening: Promise<SpoolStore> | undefined;
  #failedAt: number | undefined;

  /** What is not a write runs in the lane. */
  constructor(settings: SpoolSettings, lane: DiskLane) {
    this.#settings = settings;
    this.#lane = lane;
  }

  /** Whether this process has made the folder. What lies there belongs to calls that may still run. */
  owns(folder: string): boolean {
    return this.#folders.has(folder);
  }

  /** Ends the store. What is left in it stays for others to adopt; without that, its folder goes. */
  async end(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    try {
      const store = await opening;
      if (store !== undefined && this.#folder !== undefined) await endOrLeave(this.#folder, store, this.#settings);
    } catch {
      // It failed before, which was reported.
    }
  }

  /** Whether it failed, and it is too early to try again. */
  get pausing(): boolean {
    return this.#failedAt !== undefined && performance.now() - this.#failedAt < pauseMs;
  }

  async write(operations: readonly SpoolOperation[]): Promise<void> {
    await this.#use((store) => store.write(operations));
  }

  read(range: Parameters<SpoolStore["read"]>[0]): Promise<SpoolEntry[]> {
    return this.#lane.run(() => this.#use((store) => store.read(range)));
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#lane.run(() => this.#use((store) => store.get(key)));
  }

  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.then((store) => store.close()).catch(() => {});
  }

  async #use<T>(work: (store: SpoolStore) => Promise<T>): Promise<T> {
    if (this.pausing) throw new Error("the spool failed a moment ago");
    try {
      this.#opening ??= this.#open();
      const result = await work(await this.#opening);
      this.#failedAt = undefined;
      return result;
    } catch (error) {
      this.#failedAt = performance.now();
      await this.close();
      throw error;
    }
  }

  async #open(): Promise<SpoolStore> {
    this.#folder ??= newFolder(this.#settings);
    // Before it is there: our own adoption must not find it first.
    this.#folders.add(this.#folder);
    await makeFolder(this.#folder, this.#settings);
    const opened = await openSpool(this.#folder, this.#settings);
    if (opened.kind === "opened") return opened.store;
    // Damaged, or adopted by somebody who found it unlocked. The next attempt makes another one.
    if (opened.kind !== "failed") this.#folder = undefined;
    const reason = opened.kind === "failed" ? reasonOf(opened.error) : opened.kind;
    throw new Error(`the spool cannot be opened: ${reason}`);
  }
}

function reasonOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  return errorCode(cause) ?? errorCode(error) ?? errorMessage(error);
}
