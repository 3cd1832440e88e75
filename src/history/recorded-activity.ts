import { createHash } from "node:crypto";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { cutText } from "../base/text.js";
import { isPersonalSignal } from "../contract/personal-fields.js";
import type { HistorySettings } from "./history-options.js";
import type { SessionSignals } from "./signals.js";
import { idOf, nameOf } from "./stored-text.js";

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
  readonly status_inferred: boolean;
  readonly verified: boolean;
  /** A hash of the mark's signature. Undefined without one. */
  readonly mark_hash: string | undefined;
  readonly context_problem: string;
  /** Why it does not count: then it has no signals. Undefined if it counts. */
  readonly not_counted: NotCountedReason | undefined;
  /** What it came with if it does not count, without what tells of a person. Undefined if it counts. */
  readonly offered: Readonly<Record<string, string>> | undefined;
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
 * - `invalid`: it has no id or no start, or a start that cannot be
 * - `error`: `accept`, `signals` or `normalize` threw, as the default does for a context that it cannot decode
 */
export type NotRecordedReason = "not_accepted" | "no_session" | "no_signals" | "invalid" | "error";

/**
 * Why an activity that is kept does not count.
 *
 * - `not_verified`: its session context was not verified, and `requireVerified` is set
 * - `not_accepted`: `accept` says no
 */
export type NotCountedReason = "not_verified" | "not_accepted";

/** What is kept of an event, or why nothing is. */
export type RecordedActivity =
  | {
      readonly kind: "activity";
      readonly activity: Activity;
      /** Whether it said a signal twice, with different values. */
      readonly isAmbiguous: boolean;
      /** How many signals there were beyond those that are kept. */
      readonly leftOut: number;
    }
  | { readonly kind: "not_recorded"; readonly reason: NotRecordedReason };

/** The first ones are kept: what a gateway says by itself comes before what it says in its own words. */
const maxSignals = 64;
/** Of what does not count, less is kept: a stranger may have sent it. */
const maxOffered = 16;
const maxOfferedCharacters = 256;
/** More than a user agent may have. What is longer is cut. */
const maxValueCharacters = 1_024;
/** Names of services and procedures are much shorter, and may come from a stranger all the same. */
const maxTextCharacters = 1_024;

/** What the history keeps of an event, or why nothing. Never throws, and keeps errors to itself: they may quote the context. */
export async function activityOf(event: SessionActivityEvent, settings: HistorySettings): Promise<RecordedActivity> {
  try {
    const notCounted = whyNotCounted(event, settings);
    if (notCounted !== undefined && !settings.keepAll) return notRecorded("not_accepted");
    const given = await settings.signals(event);
    if (given === undefined) return notRecorded("no_session");
    if (notCounted === undefined) return withSignals(build(event, given, settings));
    // It says nothing about its session: not what its signals are, and not whose it is. A stranger may have sent it.
    const offered = offeredOf(given.signals, settings);
    return build(event, { sessionId: given.sessionId, signals: {} }, settings, { notCounted, offered });
  } catch {
    return notRecorded("error");
  }
}

function whyNotCounted(event: SessionActivityEvent, settings: HistorySettings): NotCountedReason | undefined {
  if (settings.requireVerified && !event.contextVerified) return "not_verified";
  return settings.accept(event) ? undefined : "not_accepted";
}

/** Whoever is forgotten is found by sessions of his own. So what tells of a person is not kept under somebody else's. */
function offeredOf(signals: SessionSignals["signals"], { normalize }: HistorySettings): Record<string, string> {
  const said = Object.entries(signals).flatMap(([name, value]): [string, string][] => {
    const normal = value ? normalize(name, value) : "";
    if (normal === "" || isPersonalSignal(name, normal)) return [];
    return [[nameOf(name), cutText(normal, maxOfferedCharacters)]];
  });
  return Object.fromEntries(said.slice(0, maxOffered));
}

function notRecorded(reason: NotRecordedReason): RecordedActivity {
  return { kind: "not_recorded", reason };
}

function withSignals(recorded: RecordedActivity): RecordedActivity {
  if (recorded.kind === "activity" && Object.keys(recorded.activity.signals).length === 0)
    return notRecorded("no_signals");
  return recorded;
}

/** So many characters of a hash tell signatures apart. */
const hashCharacters = 32;

function hashOf(signature: string): string | undefined {
  if (signature === "") return undefined;
  return createHash("sha256").update(signature).digest("base64url").slice(0, hashCharacters);
}

function build(
  event: SessionActivityEvent,
  { sessionId, userId, signals, ambiguous = [] }: SessionSignals,
  { normalize, tombstones }: HistorySettings,
  uncounted?: { readonly notCounted: NotCountedReason; readonly offered: Readonly<Record<string, string>> },
): RecordedActivity {
  const startedAt = timeOf(event.startedAt);
  const completedAt = timeOf(event.completedAt) ?? startedAt;
  if (event.eventId === "" || sessionId === "" || startedAt === undefined || completedAt === undefined)
    return notRecorded("invalid");
  const session = idOf(sessionId);
  const user = userId ? idOf(userId) : undefined;
  const values = new Map<string, string>();
  let leftOut = 0;
  for (const [name, value] of Object.entries(signals)) {
    const normal = value ? cutText(normalize(name, value), maxValueCharacters) : "";
    if (normal === "") continue;
    const key = nameOf(name);
    if (values.size < maxSignals || values.has(key)) values.set(key, normal);
    else leftOut += 1;
  }
  const activity: Activity = {
    event_id: idOf(event.eventId),
    session_id: session,
    user_id: user,
    started_at: startedAt,
    completed_at: completedAt,
    service: cutText(event.service, maxTextCharacters),
    action: cutText(event.action, maxTextCharacters),
    procedure: cutText(event.procedure, maxTextCharacters),
    status: cutText(event.status, maxTextCharacters),
    status_inferred: event.statusInferred,
    verified: event.contextVerified,
    mark_hash: hashOf(event.markSignature),
    context_problem: cutText(event.contextProblem, maxTextCharacters),
    not_counted: uncounted?.notCounted,
    offered: uncounted?.offered,
    signals: Object.fromEntries(values),
    marks: tombstones?.marksOf([session], user) ?? [],
  };
  return { kind: "activity", activity, isAmbiguous: ambiguous.length > 0, leftOut };
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
