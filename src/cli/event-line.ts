import type { SessionActivityEvent, SessionContext } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { cutText, printable } from "../base/text.js";
import type { EventView } from "../contract/personal-fields.js";
import type { InvalidRecord, SessionActivityRecord } from "../kafka/consumer/consumed-record.js";
import { decodeRun, lineOfRun } from "./run-text.js";
import type { Terminal, Tone } from "./terminal.js";
import { durationText, momentText } from "./time-text.js";

type Paint = Terminal["paint"];

/** Longer values are cut, so that a line stays one that can be read. */
const maxValueCharacters = 80;

/** An event on one line: when, how it ended, where, what, how long, and whose it was. */
export function lineOfEvent({ event, context, isContextOpaque }: EventView, paint: Paint): string {
  const status = event.status === "" ? (event.interrupted ? "INTERRUPTED" : "-") : event.status;
  return [
    paint("faint", momentText(event.startedAt) ?? "at an unknown time         "),
    paint(toneOf(event), shown(status).padEnd(statusWidth)),
    shown(event.service || "-"),
    paint("strong", shown(event.action || "-")),
    durationText(event.duration) ?? "-",
    ...contextParts(context, isContextOpaque),
    ...remarksOf(event, paint),
    paint("faint", `event=${shown(event.eventId)}`),
  ].join(" ");
}

/** A record that holds no event, on one line: a run record, or else nothing of what is in it. */
export function lineOfInvalid({ record, reason }: InvalidRecord, paint: Paint): string {
  const run = decodeRun(record.value);
  if (run !== undefined) return lineOfRun(run, paint);
  const bytes = record.value?.length ?? 0;
  return `${paint("bad", `no event: ${reason}`)} ${bytes} bytes ${paint("faint", placeOf(record))}`;
}

/** Where a record stands. */
export function placeOf({
  topic,
  partition,
  offset,
}: Pick<SessionActivityRecord, "topic" | "partition" | "offset">): string {
  return printable(`${topic}/${partition}@${offset}`);
}

/** As wide as most statuses. */
const statusWidth = 17;

/** How bad an end is: a refusal is what a trail is read for, and a failure is for somebody else. */
function toneOf({ status, interrupted }: Pick<SessionActivityEvent, "status" | "interrupted">): Tone {
  if (status === "OK") return "good";
  if (interrupted || status === "" || status === "CANCELLED" || status === "UNSETTLED") return "warn";
  return "bad";
}

/** What the session context says, in the order of what is asked first. */
function contextParts(context: SessionContext | undefined, isOpaque: boolean): string[] {
  if (context === undefined) return [isOpaque ? "context=opaque" : "context=none"];
  const said: readonly (readonly [string, string])[] = [
    ["session", context.sessionId],
    ["user", context.userId],
    ["actor", context.actorId],
    ["org", context.organizationId],
    ["auth", context.authMethod],
    ["country", context.country],
    ["ip", context.clientIp],
    ["device", context.deviceId],
  ];
  return said.filter(([, value]) => value !== "").map(([name, value]) => `${name}=${shown(value)}`);
}

/** What makes an event one to look at twice. */
function remarksOf(event: SessionActivityEvent, paint: Paint): string[] {
  const { contextVerified, contextProblem, statusInferred, handlerStatus, interrupted, attempt } = event;
  return [
    contextVerified ? paint("good", "verified") : paint("faint", "unverified"),
    ...(contextProblem === "" ? [] : [paint("bad", `problem=${shown(contextProblem)}`)]),
    ...(statusInferred ? [paint("warn", "inferred")] : []),
    ...(handlerStatus === "" ? [] : [paint("warn", `handler=${shown(handlerStatus)}`)]),
    ...(interrupted ? [paint("warn", "interrupted")] : []),
    ...(attempt > 1 ? [`attempt=${attempt}`] : []),
  ];
}

/** A value as one word: cut, escaped, and quoted if it could be taken for several. */
function shown(value: string): string {
  const cut = cutText(value, maxValueCharacters);
  const text = printable(cut) + (cut.length < value.length ? "…" : "");
  return /^[^\s"=]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}
