import { readFileSync } from "node:fs";
import { groupBy } from "../support/group-by.js";
import type { Outcome } from "./case.js";
import type { EventLine, LeavingLine, ReachedLine, RecordLine, StatsLine } from "./lab-record.js";
import type { PlannedCase } from "./plan.js";

/** gRPC's numbers of the two codes that the rule has to tell apart. */
export const cancelled = 1;
export const deadlineExceeded = 4;

/** All that is known of one case: a line of the file of rows. */
export interface Row extends PlannedCase {
  /** What the caller saw. Absent if the client gave no outcome. */
  readonly seen?: Outcome;
  /** How many of its requests Node handed out, and how many passed the interceptor. */
  readonly requests: number;
  readonly reached: number;
  readonly userAgent?: string;
  readonly events: readonly EventLine[];
  /** Of its last attempt. */
  readonly evidence?: Pick<LeavingLine, "leaving" | "verdict">;
  /** What the former rule would have said: 25 ms, or a tenth of the deadline. */
  readonly formerCode?: number;
}

/** What the server has seen of a setting. */
export interface Found {
  readonly rows: readonly Row[];
  /** Absent if the server did not end as it should. */
  readonly stats?: StatsLine;
}

/** Joins what the clients and the server say of the cases. */
export function joinRows(cases: readonly PlannedCase[], outcomes: readonly Outcome[], recordFile: string): Found {
  const lines = readFileSync(recordFile, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as RecordLine);
  const seen = new Map(outcomes.map((outcome) => [outcome.id, outcome]));
  const byId = groupBy(
    lines.filter((line) => line.line !== "stats"),
    ({ id }) => id,
  );
  const rows = cases.map((one) => toRow(one, seen.get(one.id), byId.get(one.id) ?? []));
  const stats = lines.find((line) => line.line === "stats");
  return { rows, ...(stats !== undefined && { stats }) };
}

function toRow(one: PlannedCase, seen: Outcome | undefined, lines: readonly RecordLine[]): Row {
  const events = lines.filter((line) => line.line === "event");
  const reached = lines.filter((line) => line.line === "reached");
  const leaving = lines.findLast((line) => line.line === "leaving");
  const formerCode = formerCodeOf(events.at(-1), reached.at(-1), leaving);
  const userAgent = reached.at(-1)?.userAgent;
  return {
    ...one,
    ...(seen !== undefined && { seen }),
    requests: lines.filter(({ line }) => line === "request").length,
    reached: reached.length,
    ...(userAgent !== undefined && { userAgent }),
    events,
    ...(leaving !== undefined && { evidence: { leaving: leaving.leaving, verdict: leaving.verdict } }),
    ...(formerCode !== undefined && { formerCode }),
  };
}

/** Only for callers that left: for others, both rules say the same. */
function formerCodeOf(
  event: EventLine | undefined,
  reached: ReachedLine | undefined,
  leaving: LeavingLine | undefined,
): number | undefined {
  if (event === undefined || (event.status !== "CANCELLED" && event.status !== "DEADLINE_EXCEEDED")) return undefined;
  const timeoutMs = leaving?.leaving.timeoutMs ?? reached?.timeoutMs;
  if (timeoutMs === undefined) return cancelled;
  const elapsedMs = leaving?.leaving.elapsedMs ?? event.durationMs;
  return elapsedMs >= timeoutMs - Math.max(25, timeoutMs / 10) ? deadlineExceeded : cancelled;
}
