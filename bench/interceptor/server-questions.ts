/** What marks are signed for. */
export const audience = "account-service";

/** What a server has as its interceptor. */
export type ServerKind =
  | "none"
  | "pass-through"
  | "burning"
  | "floor"
  | "discard"
  | "memory"
  | "kafka"
  | "spool"
  | "spool, power"
  | "verified"
  | "naive"
  | "span"
  | "validate";

/** How the process of the servers is started. */
export interface ServersConfig {
  /** By their names. */
  readonly kinds: Readonly<Record<string, ServerKind>>;
  readonly brokers: string;
  readonly topic: string;
  readonly publicJwks: Record<string, unknown>[];
  /** The folder of the interceptors that are not ours. */
  readonly rivals: string;
  /** The size of a record, for those who do not make events. */
  readonly eventBytes: number;
}

/** Asks a server to deliver what it has, and to say how it is. */
export interface ServerQuestion {
  readonly name: string;
  /** Whether to clear the whole heap, and not only the young generation. */
  readonly clears?: boolean | undefined;
  /** How long the control is to burn in each call from here on, in microseconds. */
  readonly burnUs?: number | undefined;
}

export interface ServerAnswer {
  readonly port: number;
  /** How many calls have had an event. */
  readonly tracked: number;
  /** Why there are fewer events than there should be. */
  readonly failures: Readonly<Record<string, number>>;
}
