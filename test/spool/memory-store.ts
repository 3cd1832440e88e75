import { checksumSeal } from "../../src/spool/seal.js";
import type { SpoolEntry, SpoolOperation, SpoolStore } from "../../src/spool/spool-store.js";

interface Pending {
  readonly operations: readonly SpoolOperation[];
  resolve(): void;
  reject(error: Error): void;
}

/** A store in memory, whose disk does what a test tells it. */
export class MemoryStore implements SpoolStore {
  readonly entries: Map<string, Uint8Array>;
  readonly #pending: Pending[] = [];
  #isDead = false;
  pausing = false;

  constructor(entries: ReadonlyMap<string, Uint8Array> = new Map()) {
    this.entries = new Map(entries);
  }

  get pending(): number {
    return this.#pending.length;
  }

  write(operations: readonly SpoolOperation[]): Promise<void> {
    if (this.#isDead) return new Promise(() => {});
    return new Promise((resolve, reject) => void this.#pending.push({ operations, resolve, reject }));
  }

  /** Like LevelDB, it answers a moment later, with what there was when it was asked. */
  async read({ after, before, limit }: Parameters<SpoolStore["read"]>[0]): Promise<SpoolEntry[]> {
    const keys = [...this.entries.keys()].filter((key) => key > after && key < before).sort();
    const entries = keys.slice(0, limit).map((key) => {
      const sealed = this.entries.get(key) ?? new Uint8Array();
      return { key, sealed, value: checksumSeal.open(key, sealed) };
    });
    await new Promise((resolve) => void setImmediate(resolve));
    return entries;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    const sealed = this.entries.get(key);
    return Promise.resolve(sealed && checksumSeal.open(key, sealed));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  /** The disk takes the oldest write, or refuses it. */
  step(isTaken: boolean): void {
    const next = this.#pending.shift();
    if (next === undefined) return;
    if (isTaken) {
      this.#apply(next.operations);
      next.resolve();
    } else {
      next.reject(new Error("the disk says no"));
    }
  }

  /** The process dies. The write that is under way may have come through, or not. */
  die(isLastWriteTaken: boolean): ReadonlyMap<string, Uint8Array> {
    this.#isDead = true;
    const next = this.#pending.shift();
    if (next !== undefined && isLastWriteTaken) this.#apply(next.operations);
    return this.entries;
  }

  #apply(operations: readonly SpoolOperation[]): void {
    for (const one of operations) {
      if (one.type === "del") this.entries.delete(one.key);
      else this.entries.set(one.key, one.type === "put" ? checksumSeal.seal(one.key, one.value) : one.sealed);
    }
  }
}
