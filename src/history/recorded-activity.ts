import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { HistorySettings } from "./history-options.js";
import type { SessionSignals } from "./signals.js";

/** One event, as the database's function takes it. */
export interface Activity {
  readonly event_id: string;
  readonly session_id: string;
  readonly user_id: string | undefined;
  readonly started_at: string;
  readonly completed_at: string;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  readonly status: string;
  readonly verified: boolean;
  readonly signals: Readonly<Record<string, string>>;
  /** By these it is told whether it was forgotten. */
  readonly marks: readonly string[];
}

/**
 * Why an event is not for the history.
 *
 * - `not_accepted`: `accept` says no
 * - `no_session`: there is no session context in it, or none that says which session it is
 * - `no_signals`: it says nothing about its session
 * - `invalid`: it has no id or no start, or one that cannot be, or its ids are too long, or its signals too many
 * - `error`: `accept`, `signals` or `normalize` threw, as the default does for a context that it cannot decode
 */
export type NotRecordedReason = "not_accepted" | "no_session" | "no_signals" | "invalid" | "error";

/** With these, what stands in an index fits into it, whatever the characters are. */
const maxIdLength = 256;
const maxSignals = 64;
const maxNameLength = 128;
/** More than a user agent may have. What is longer is cut. */
const maxValueLength = 1_024;

/** What the history keeps of an event, or why nothing. Never throws, and keeps errors to itself: they may quote the context. */
export async function activityOf(
  event: SessionActivityEvent,
  settings: HistorySettings,
): Promise<Activity | NotRecordedReason> {
  try {
    if (settings.requireVerified && !event.contextVerified) return "not_accepted";
    if (!settings.accept(event)) return "not_accepted";
    const given = await settings.signals(event);
    return given === undefined ? "no_session" : build(event, given, settings);
  } catch {
    return "error";
  }
}

function build(
  event: SessionActivityEvent,
  { sessionId, userId, signals }: SessionSignals,
  { normalize, tombstones }: HistorySettings,
): Activity | NotRecordedReason {
  const startedAt = timeOf(event.startedAt);
  const completedAt = timeOf(event.completedAt) ?? startedAt;
  if (!isId(event.eventId) || !isId(sessionId) || startedAt === undefined || completedAt === undefined)
    return "invalid";
  const user = userId ? userId : undefined;
  if (user !== undefined && !isId(user)) return "invalid";
  const entries: [string, string][] = [];
  for (const [name, value] of Object.entries(signals)) {
    const normal = value ? storable(normalize(name, value)).slice(0, maxValueLength) : "";
    if (normal !== "") entries.push([storable(name), normal]);
  }
  if (entries.length === 0) return "no_signals";
  if (entries.length > maxSignals || entries.some(([name]) => name.length > maxNameLength)) return "invalid";
  return {
    event_id: event.eventId,
    session_id: sessionId,
    user_id: user,
    started_at: startedAt,
    completed_at: completedAt,
    service: storable(event.service),
    action: storable(event.action),
    procedure: storable(event.procedure),
    status: storable(event.status),
    verified: event.contextVerified,
    signals: Object.fromEntries(entries),
    marks: tombstones?.marksOf([sessionId], user) ?? [],
  };
}

function isId(id: string): boolean {
  return id !== "" && id.length <= maxIdLength && storable(id) === id;
}

/** PostgreSQL's text holds neither NUL nor half a surrogate pair. */
function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, "\uFFFD");
}

/** To the microsecond, as PostgreSQL has it. Undefined for what protobuf's Timestamp does not allow. */
function timeOf(time: SessionActivityEvent["startedAt"]): string | undefined {
  if (time === undefined || time.nanos < 0 || time.nanos >= 1e9) return undefined;
  const seconds = new Date(Number(time.seconds) * 1_000);
  const year = seconds.getUTCFullYear();
  // Not so for NaN, either.
  if (!(year >= 1 && year <= 9_999)) return undefined;
  const micros = Math.floor(time.nanos / 1_000);
  return `${seconds.toISOString().slice(0, 19)}.${String(micros).padStart(6, "0")}Z`;
}
