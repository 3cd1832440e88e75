import type { SessionActivityEvent, SessionContext } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { cutText } from "../base/text.js";
import type { EventView } from "../contract/personal-fields.js";
import type { ShownSignature } from "../contract/shown-signature.js";
import type { SchemaFrame } from "../kafka/client/schema-frame.js";
import type { SessionActivityRecord } from "../kafka/consumer/consumed-record.js";
import { placeOf } from "./event-line.js";
import { type Row, section } from "./report-section.js";
import type { Terminal } from "./terminal.js";
import { durationText, millisecondsText, momentText } from "./time-text.js";

type Paint = Terminal["paint"];

/** All that an event says, in sections. */
export function reportOfEvent({ event, context, isContextOpaque, signature }: EventView, paint: Paint): string {
  const session: readonly Row[] =
    context === undefined
      ? [["context", isContextOpaque ? "one that is not of this package's making" : "none"]]
      : contextRows(context);
  return [
    section(`Event ${event.eventId}`, eventRows(event), paint),
    section("Session", [...session, ...markRows(event)], paint),
    ...(event.markSignature === "" ? [] : [section(signatureHeading, signatureRows(signature), paint)]),
    ...sectionOf("Signals", context?.signals ?? {}, paint),
    ...sectionOf("Attributes", event.attributes, paint),
  ].join("\n");
}

/** All that a session context says, in sections. */
export function reportOfContext(context: SessionContext, paint: Paint): string {
  return [
    section("Session context", contextRows(context), paint),
    ...sectionOf("Signals", context.signals, paint),
  ].join("\n");
}

function contextRows(context: SessionContext): readonly Row[] {
  const { $typeName: _, $unknown: __, signals: ___, ...fields } = context;
  return Object.entries(fields).map(([name, value]) => [wordsOf(name), value]);
}

function sectionOf(heading: string, entries: Readonly<Record<string, string>>, paint: Paint): string[] {
  return Object.keys(entries).length === 0 ? [] : [section(heading, Object.entries(entries), paint)];
}

function eventRows(event: SessionActivityEvent): readonly Row[] {
  return [
    ["status", statusText(event)],
    ["handler status", event.handlerStatus],
    ["service", event.service],
    ["action", event.action],
    ["procedure", event.procedure],
    ["started", momentText(event.startedAt)],
    ["completed", momentText(event.completedAt)],
    ["took", durationText(event.duration)],
    ["deadline", durationText(event.timeout)],
    ["attempt", event.attempt === 0 ? "" : String(event.attempt)],
    ["instance", event.instanceId],
    ["sequence", event.sequence === 0n ? "" : String(event.sequence)],
    ["traceparent", event.traceparent],
  ];
}

function statusText({ status, statusInferred, interrupted }: SessionActivityEvent): string {
  if (interrupted) return "unknown: the process died inside the call";
  return `${status || "none"}${statusInferred ? ", inferred: more than one fits what the service saw" : ""}`;
}

function markRows({ contextVerified, contextProblem, markSignature }: SessionActivityEvent): readonly Row[] {
  return [
    ["verified", contextVerified ? "yes" : "no"],
    ["problem", contextProblem],
    ["signature", markSignature],
  ];
}

/** Whoever made a signature may have written anything into it. `verified` above is what the service found. */
const signatureHeading = "Signature, as the signature says; not checked here";

const maxSignatureText = 256;

function signatureRows(signature: ShownSignature | undefined): readonly Row[] {
  if (signature === undefined) return [["form", "it cannot be read: it is not a signature of a gateway"]];
  const { keyId, audiences, issuedAtMs, id } = signature;
  const rows = [
    ["key id (kid)", keyId],
    ["audience (aud)", audiences.join(", ")],
    ["issued at (iat)", millisecondsText(issuedAtMs) ?? ""],
    ["id (jti)", id],
  ] as const;
  return rows.map(([name, value]) => [name, value === "" ? "none" : shortened(value)]);
}

function shortened(value: string): string {
  const cut = cutText(value, maxSignatureText);
  return cut.length < value.length ? `${cut}…` : cut;
}

/** Where a record stands, and what else Kafka knows of it. */
export function reportOfRecord(record: SessionActivityRecord, frame: SchemaFrame | undefined, paint: Paint): string {
  return section(
    "Record",
    [
      ["place", placeOf(record)],
      ["written", millisecondsText(record.timestampMs)],
      ["value", `${record.value?.length ?? 0} bytes`],
      ["key", record.key === undefined ? undefined : `${record.key.length} bytes`],
      ["headers", record.headers.map(({ key }) => key).join(", ")],
      ["schema", frame && frameText(frame)],
    ],
    paint,
  );
}

/** What a frame says, in words. */
export function frameText({ schemaId, in: where, messageIndexes }: SchemaFrame): string {
  return `${schemaId} of a Schema Registry, in a ${where}, message ${messageIndexes.join(".")}`;
}

/** `userAgent` as words. */
function wordsOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
