import { printable } from "../base/text.js";
import type { EventView } from "../contract/personal-fields.js";
import { isInvalid, type ReadRecord } from "./record-stream.js";
import { durationMs, millisecondsText, momentText } from "./time-text.js";

type Cells = (view: EventView) => string | number | boolean | undefined;

/** The columns of an event, in their order. */
const eventColumns: readonly (readonly [name: string, cell: Cells])[] = [
  ["started_at", ({ event }) => momentText(event.startedAt)],
  ["completed_at", ({ event }) => momentText(event.completedAt)],
  ["duration_ms", ({ event }) => durationMs(event.duration)],
  ["service", ({ event }) => event.service],
  ["action", ({ event }) => event.action],
  ["procedure", ({ event }) => event.procedure],
  ["status", ({ event }) => event.status],
  ["status_inferred", ({ event }) => event.statusInferred],
  ["handler_status", ({ event }) => event.handlerStatus],
  ["interrupted", ({ event }) => event.interrupted],
  ["context_verified", ({ event }) => event.contextVerified],
  ["context_problem", ({ event }) => event.contextProblem],
  ["session_id", ({ context }) => context?.sessionId],
  ["user_id", ({ context }) => context?.userId],
  ["actor_id", ({ context }) => context?.actorId],
  ["organization_id", ({ context }) => context?.organizationId],
  ["auth_method", ({ context }) => context?.authMethod],
  ["device_id", ({ context }) => context?.deviceId],
  ["country", ({ context }) => context?.country],
  ["client_ip", ({ context }) => context?.clientIp],
  ["user_agent", ({ context }) => context?.userAgent],
  ["signals", ({ context }) => textOf(context?.signals ?? {})],
  ["attributes", ({ event }) => textOf(event.attributes)],
  ["event_id", ({ event }) => event.eventId],
  ["instance_id", ({ event }) => event.instanceId],
  ["sequence", ({ event }) => String(event.sequence)],
  ["attempt", ({ event }) => event.attempt || undefined],
  ["timeout_ms", ({ event }) => durationMs(event.timeout)],
  ["traceparent", ({ event }) => event.traceparent],
];

/** The columns, those of the record at the end. */
export const csvColumns: readonly string[] = [
  ...eventColumns.map(([name]) => name),
  "topic",
  "partition",
  "offset",
  "timestamp",
  "problem",
];

/** The first line. */
export const csvHeader: string = `${csvColumns.join(",")}\r\n`;

/** A record as a line of CSV (RFC 4180). Without an event only its place and the problem are in it. */
export function csvOfRecord(read: ReadRecord, view: EventView | undefined): string {
  const { topic, partition, offset, timestampMs } = read.record;
  const event = eventColumns.map(([, cell]) => (view === undefined ? "" : cell(view)));
  const place = [topic, partition, offset, millisecondsText(timestampMs), isInvalid(read) ? read.reason : ""];
  return `${[...event, ...place].map(csvCell).join(",")}\r\n`;
}

function textOf(entries: Readonly<Record<string, string>>): string {
  return Object.keys(entries).length === 0 ? "" : JSON.stringify(entries);
}

/**
 * A cell. A text that a spreadsheet would take for a formula gets an apostrophe in front, as OWASP advises: `=`, `+`, `-` and `@`,
 * in their full width, too. Tabs and line breaks begin formulas as well, and are escaped as all that is not printable.
 */
export function csvCell(value: string | number | boolean | undefined): string {
  if (typeof value !== "string") return value === undefined ? "" : String(value);
  const text = printable(value);
  const safe = /^[ ]*[=+\-@＝＋－＠]/.test(text) ? `'${text}` : text;
  return /[",;\s']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
