/** A line of the lab server's record: what it saw of a call. */
export type RecordLine = RequestLine | ReachedLine | EventLine | LeavingLine | StatsLine;

/** Node has handed out a marked request. */
export interface RequestLine {
  readonly line: "request";
  readonly id: string;
}

/** The call has passed the interceptor under test. */
export interface ReachedLine {
  readonly line: "reached";
  readonly id: string;
  /** What the request's header says. Absent: no deadline. */
  readonly timeoutMs?: number;
  readonly userAgent?: string;
}

/** An event was published. */
export interface EventLine {
  readonly line: "event";
  readonly id: string;
  readonly status: string;
  readonly handlerStatus: string;
  readonly durationMs: number;
  readonly inferred?: boolean;
  readonly attempt?: number;
  readonly timeoutMs?: number;
}

/** The evidence of a caller that left, and what the rule made of it. */
export interface LeavingLine {
  readonly line: "leaving";
  readonly id: string;
  readonly leaving: Evidence;
  readonly verdict: { readonly code: number; readonly inferred: boolean };
}

/** The parts of the evidence that the lab reads. There is more, which goes into the rows as it is. */
export interface Evidence {
  readonly timeoutMs?: number;
  readonly elapsedMs?: number;
  readonly way?: string;
  readonly resetCode?: number;
}

/** What the tracking has counted, at the server's end. */
export interface StatsLine {
  readonly line: "stats";
  readonly stats: {
    readonly interceptor: {
      readonly tracked: number;
      readonly open: number;
      readonly bypassed: number;
      readonly leftEarly?: number;
      readonly skipped: Readonly<Record<string, number>>;
    };
  };
  readonly warnings: Readonly<Record<string, number>>;
}

/** What the server prints when it is ready. */
export interface Ports {
  h1: number;
  h2c: number;
  https: number;
  h2: number;
}
