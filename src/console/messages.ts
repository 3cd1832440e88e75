/** What the console's server tells its page. Only types: the page is another program. */

/** A value that may be masked. */
export interface Shown {
  readonly text: string;
  /** Whether `text` stands for something that was not revealed. The same value has the same mask. */
  readonly masked: boolean;
}

/** Who makes a call, from where: signals of a session by name. */
export interface ShownSignal {
  readonly signal: string;
  readonly value: Shown;
}

/** What casts doubt on an activity. */
export interface Doubts {
  /** Whether a service had verified the session context. */
  readonly verified: boolean;
  /** What is wrong with the session context. Empty if nothing is. */
  readonly problem: string;
  /** Whether another event came with the same signature. */
  readonly replayed: boolean;
  /** Whether another status fits, too. */
  readonly inferred: boolean;
}

/** An event that has just come. */
export interface LiveEvent extends Doubts {
  readonly id: string;
  /** When the event came to the console, in milliseconds since 1970. Live events are in this order. */
  readonly arrivedAt: number;
  /** When the call began and ended, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly completedAt: number | undefined;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  /** Empty if the process died inside the call. */
  readonly status: string;
  /** How the handler ended if that differs. */
  readonly handlerStatus: string;
  /** The session that its context names. Undefined if it names none. */
  readonly session: string | undefined;
  readonly signals: readonly ShownSignal[];
}

/** Calls that ended in one minute. */
export interface Minute {
  /** When it began, in milliseconds since 1970. */
  readonly at: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly unverified: number;
  /** Events that runs have declared as lost in this minute. */
  readonly dropped: number;
}

/** What is known of one run of a service. */
export interface RunStatus {
  readonly instanceId: string;
  readonly service: string;
  /**
   * - `open`: it wrote a record within the last five minutes
   * - `closed`: it ended by itself, or another process closed it
   * - `dead`: it stopped writing records without an end
   * - `unknown`: events come of it, and no record
   */
  readonly state: "open" | "closed" | "dead" | "unknown";
  readonly startedAt: number | undefined;
  readonly at: number | undefined;
  readonly lastSequence: string;
  /** Losses that it has declared, by reason. */
  readonly declared: Readonly<Record<string, number>>;
  /** Losses that it says no record declares. */
  readonly undeclared: number;
  /** Numbers that did not come since the console has looked, and that no record declares. */
  readonly holes: string;
}

/** What is known about how complete the trail is. */
export interface Completeness {
  /** Since when holes are looked for, in milliseconds since 1970. */
  readonly since: number;
  readonly open: number;
  readonly closed: number;
  readonly dead: number;
  readonly unknown: number;
  readonly declared: number;
  readonly undeclared: number;
  readonly holes: string;
  /** Records of the topic that hold no event. */
  readonly invalid: number;
  /** Whether the brokers answer, for the events and for the run records. */
  readonly eventsConnected: boolean;
  readonly runsConnected: boolean;
}

/** The completeness, and each run. */
export interface CompletenessDetails extends Completeness {
  readonly runs: readonly RunStatus[];
  /** How many runs are left out of `runs`. */
  readonly left: number;
}

/** One message of the live stream. */
export interface LiveMessage {
  /** Which start of the console this is: another one has other events. */
  readonly feed: string;
  /** The number of the last event in it. */
  readonly last: number;
  readonly events: readonly LiveEvent[];
  /** Events that came, and are not in it: there were too many at once, or while the page was away. */
  readonly skipped: number;
  /** Whether the console was started anew since the page was here: what came in between is not known. */
  readonly isNew: boolean;
  /** Once a second. */
  readonly summary: LiveSummary | undefined;
}

/** What is known beside the events. */
export interface LiveSummary {
  readonly minutes: readonly Minute[];
  readonly completeness: Completeness;
}

/** A signal that an activity changed. */
export interface ShownChange {
  readonly signal: string;
  readonly value: Shown;
  readonly before: Shown | undefined;
}

/** A signal that a call came with, and that it did not change. */
export interface OfferedSignal extends ShownSignal {
  /** What held in its session when it began. Undefined if nothing was known. */
  readonly held: Shown | undefined;
}

/** An activity of the history. */
export interface ShownActivity extends Doubts {
  readonly id: string;
  readonly session: string;
  readonly startedAt: number;
  readonly completedAt: number;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  readonly status: string;
  /** Why it was not placed in the order of its session. Undefined if it was. */
  readonly late: string | undefined;
  readonly changes: readonly ShownChange[];
  /** Why it does not count: `not_verified` or `not_accepted`. Undefined if it does. */
  readonly notCounted: string | undefined;
  /** What it came with if it does not count or was not placed. */
  readonly cameWith: readonly OfferedSignal[];
}

/** A page of activities, the newest first. */
export interface ActivityPage {
  readonly activities: readonly ShownActivity[];
  /** For the next page. Undefined if this is the last one. */
  readonly next: string | undefined;
  readonly revealed: boolean;
  readonly extent: Extent;
}

/** How much the history holds. Times in milliseconds since 1970. */
export interface Extent {
  readonly compactedThrough: number | undefined;
  readonly oldest: number | undefined;
  readonly newest: number | undefined;
  /** With which statuses the calls ended whose activities it has. */
  readonly statuses: Names;
}

/** Some names, in their order. */
export interface Names {
  readonly names: readonly string[];
  /** Whether there are more. */
  readonly isCut: boolean;
}

/** A session: what its signals are, and how they came to be. */
export interface SessionPage extends ActivityPage {
  readonly session: string;
  readonly current: readonly ShownSignal[];
}

/** Who looks, and at what. */
export interface Viewer {
  readonly user: string;
  readonly audited: boolean;
  readonly topic: string;
}
