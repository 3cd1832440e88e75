import type { SpoolOperation, SpoolStore } from "./spool-store.js";

/** Told whether a write is in the store. It must not throw. */
export type Written = (isWritten: boolean) => void;

interface Group {
  readonly operations: SpoolOperation[];
  readonly told: Written[];
  readonly askedAt: number;
}

/** So many changes at once: enough to be fast, few enough for one to be short. */
const groupSize = 1_000;

/**
 * Writes to a store, in the order in which it was asked to, one write at a time: what comes meanwhile goes together in the next
 * one. So what survives a crash is all up to some moment, and a disk that hangs holds one of Node's threads, not all.
 */
export class WriteQueue {
  readonly #store: SpoolStore;
  readonly #onFailure: (error: unknown) => void;
  readonly #groups: Group[] = [];
  #bytes = 0;
  #writing: Group | undefined;
  #idle: (() => void)[] = [];

  constructor(store: SpoolStore, onFailure: (error: unknown) => void) {
    this.#store = store;
    this.#onFailure = onFailure;
  }

  /** Bytes that wait for the disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** For how long the oldest write has been waiting, in milliseconds. */
  get delayMs(): number {
    const oldest = this.#writing ?? this.#groups[0];
    return oldest === undefined ? 0 : performance.now() - oldest.askedAt;
  }

  /** Asks for changes, all or none of them. */
  write(operations: readonly SpoolOperation[], written?: Written): void {
    let group = this.#groups.at(-1);
    if (group === undefined || group.operations.length >= groupSize) {
      group = { operations: [], told: [], askedAt: performance.now() };
      this.#groups.push(group);
    }
    group.operations.push(...operations);
    if (written !== undefined) group.told.push(written);
    this.#bytes += bytesOf(operations);
    if (this.#writing === undefined) void this.#run();
  }

  /** Resolves when nothing waits any more. */
  async idle(): Promise<void> {
    if (this.#writing === undefined) return;
    await new Promise<void>((resolve) => void this.#idle.push(resolve));
  }

  async #run(): Promise<void> {
    for (let group = this.#groups.shift(); group !== undefined; group = this.#groups.shift()) {
      this.#writing = group;
      let isWritten = true;
      try {
        await this.#store.write(group.operations);
      } catch (error) {
        isWritten = false;
        this.#onFailure(error);
      }
      this.#bytes -= bytesOf(group.operations);
      for (const tell of group.told) tell(isWritten);
    }
    this.#writing = undefined;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

function bytesOf(operations: readonly SpoolOperation[]): number {
  return operations.reduce((sum, one) => sum + (one.type === "put" ? one.value.length : 0), 0);
}
