import type { Logger } from "../../src/index.js";

/** A log whose kinds are kept. */
export interface ObservedLog extends Logger {
  readonly kinds: ReadonlySet<string>;
}

export function observedLog(): ObservedLog {
  const kinds = new Set<string>();
  const note = (details: object): void => {
    const kind: unknown = Reflect.get(details, "kind");
    if (typeof kind === "string") kinds.add(kind);
  };
  return { kinds, debug() {}, info() {}, warn: note, error: note };
}
