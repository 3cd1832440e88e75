/** One change of a store. */
export type SpoolOperation =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  /** Puts what was found, as it was found. */
  | { readonly type: "keep"; readonly key: string; readonly sealed: Uint8Array }
  | { readonly type: "del"; readonly key: string };

/** An entry as it was found. */
export interface SpoolEntry {
  readonly key: string;
  /** Undefined if it is damaged. */
  readonly value: Uint8Array | undefined;
  /** The bytes in the store. */
  readonly sealed: Uint8Array;
}

/** An ordered store of bytes by key, which survives the process. */
export interface SpoolStore {
  /** All changes, or none. Resolves when they are as durable as the store was asked to make them. */
  write(operations: readonly SpoolOperation[]): Promise<void>;
  /** Up to `limit` entries after one key and before another, in the order of their keys. */
  read(range: { readonly after: string; readonly before: string; readonly limit: number }): Promise<SpoolEntry[]>;
  /** What lies under a key. Undefined if nothing does, or if it is damaged. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Lets go of the store. Resolves when the next one may open it. */
  close(): Promise<void>;
}
