import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";

/** What came of a run: seen by a process that was never killed. Calls are known by their session contexts. */
export interface CrashReport {
  /** Calls that were sent, carried out by the handler, and answered. */
  readonly sent: ReadonlySet<string>;
  readonly carriedOut: ReadonlySet<string>;
  readonly answered: ReadonlySet<string>;
  /** The events on the topic, each record once. */
  readonly events: readonly SessionActivityEvent[];
  /** Records that hold no event. */
  readonly damaged: number;
  readonly kills: number;
  readonly killsWhileRecovering: number;
}

/** The counts of a run. All but the last two must be 0, and those must not be. */
export interface CrashCounts {
  readonly carriedOutWithoutEvent: number;
  readonly answeredWithoutEvent: number;
  readonly answeredAsInterrupted: number;
  readonly invented: number;
  readonly twins: number;
  readonly damaged: number;
  readonly interrupted: number;
  readonly replayed: number;
}

/** Compares what was done, what was answered, and what arrived. */
export function countsOf({ sent, carriedOut, answered, events, damaged }: CrashReport): CrashCounts {
  const contents = new Map<string, string>();
  const numbers = new Map<string, string>();
  const byCall = new Map<string, SessionActivityEvent>();
  const twins = new Set<string>();
  for (const event of events) {
    const { eventId, instanceId, sequence, status, interrupted, encodedSessionContext } = event;
    const content = `${instanceId}/${sequence}/${status}/${interrupted}/${encodedSessionContext}`;
    const number = `${instanceId}/${sequence}`;
    // One event in two forms, one number for two events, or one call with two events.
    const isTwin =
      (contents.get(eventId) ?? content) !== content ||
      (numbers.get(number) ?? eventId) !== eventId ||
      (byCall.get(encodedSessionContext)?.eventId ?? eventId) !== eventId;
    if (isTwin) twins.add(eventId);
    contents.set(eventId, content);
    numbers.set(number, eventId);
    byCall.set(encodedSessionContext, event);
  }
  const without = (calls: ReadonlySet<string>): number => [...calls].filter((id) => !byCall.has(id)).length;
  return {
    carriedOutWithoutEvent: without(carriedOut),
    answeredWithoutEvent: without(answered),
    // The caller may have its answer before the end of the call is stored: then nobody knows that it ended well.
    answeredAsInterrupted: [...answered].filter((id) => byCall.get(id)?.interrupted).length,
    invented: [...byCall.keys()].filter((id) => !sent.has(id)).length,
    twins: twins.size,
    damaged,
    interrupted: [...byCall.values()].filter(({ interrupted }) => interrupted).length,
    replayed: events.length - contents.size,
  };
}

/** What is not as it must be. */
export function faultsOf(counts: CrashCounts): string[] {
  const { interrupted, replayed, answeredAsInterrupted: _, ...mustBeNone } = counts;
  const faults = Object.entries(mustBeNone).filter(([, count]) => count > 0);
  return [
    ...faults.map(([name, count]) => `${name}: ${count}`),
    ...(interrupted > 0 ? [] : ["no call was interrupted, so the run proves nothing"]),
    ...(replayed > 0 ? [] : ["no event was replayed, so the run proves nothing"]),
  ];
}
