import type { Mark } from "./call-settings.js";
import type { ServerKind } from "./server-questions.js";

/** A server, the calls that it gets, and what it is compared with. */
export interface InterceptorVariant {
  readonly name: string;
  readonly kind: ServerKind;
  readonly mark: Mark;
  /** The variant with no interceptor that gets the same calls, if there is one. */
  readonly none?: string | undefined;
  /** The variant with one that only calls `next`, and gets the same calls. */
  readonly passThrough: string;
  /** Whether it is measured on the oldest Connect, too. For the rest, the newest says enough. */
  readonly isOnBoth?: boolean | undefined;
  /** How many events its calls make. */
  readonly events?: 0 | 1 | undefined;
}

export const none = "no interceptor";
export const noneAgain = "no interceptor, again";
export const passThrough = "only calls `next`";
export const control = "control: only calls `next`, and burns 5 % more";
const unmarkedPassThrough = "unmarked: only calls `next`";

const marked = { mark: "marked", none, passThrough } as const;
const ours = { ...marked, events: 1 } as const;
const isOnBoth = true;

/** What the floor is made of: a call, an interceptor, and a record. */
export const floorVariants: readonly InterceptorVariant[] = [
  { ...marked, name: none, kind: "none", isOnBoth },
  { ...marked, name: noneAgain, kind: "none", isOnBoth },
  { ...marked, name: passThrough, kind: "pass-through", isOnBoth },
  { ...marked, name: control, kind: "burning", isOnBoth },
  { ...marked, name: "floor: a bare `produce`", kind: "floor" },
];

export const inMemory = "marked, Kafka, events in memory";
/** What a spool adds to what there is without one. */
export const spoolVariants: readonly InterceptorVariant[] = [
  ...floorVariants.filter(({ kind }) => kind !== "floor"),
  { ...ours, name: inMemory, kind: "kafka" },
  { ...ours, name: `${inMemory}, again`, kind: "kafka" },
  { ...ours, name: "marked, Kafka, spool", kind: "spool" },
  { ...ours, name: "marked, Kafka, spool with `power`", kind: "spool, power" },
];

export const interceptorVariants: readonly InterceptorVariant[] = [
  ...floorVariants,
  { name: unmarkedPassThrough, kind: "pass-through", mark: "unmarked", passThrough: unmarkedPassThrough, isOnBoth },
  {
    name: "unmarked: this package",
    kind: "kafka",
    mark: "unmarked",
    passThrough: unmarkedPassThrough,
    events: 0,
    isOnBoth,
  },
  { ...ours, name: "marked, events dropped", kind: "discard", isOnBoth },
  { ...ours, name: "marked, memory publisher", kind: "memory" },
  { ...ours, name: "marked, Kafka", kind: "kafka", isOnBoth },
  { ...ours, name: "marked, verified (EdDSA), events dropped", kind: "verified", mark: "EdDSA" },
  { ...ours, name: "marked, verified (ES256), events dropped", kind: "verified", mark: "ES256" },
  { ...marked, name: "naive: `try`, `catch`, `await` publish", kind: "naive" },
  { ...marked, name: "an OpenTelemetry span", kind: "span" },
  { ...marked, name: "@connectrpc/validate", kind: "validate" },
];
