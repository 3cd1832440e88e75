// Reads a topic from its beginning to its end, in a process of its own, and reconciles it with what a service says that it
// published: argv holds the brokers, the topic, the file of the service's notes, and until when what was delivered was deleted
// with an earlier topic of that name, in ms since 1970. It prints a `Verdict` as JSON.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { loadKafkaClient } from "../../src/kafka/client/kafka-client.js";
import { adminOf } from "./admin.js";
import { readTopic } from "./read-topic.js";
import type { CapturedNote, Note } from "./service.js";

/** What the oracle found. */
export interface Verdict {
  readonly captured: number;
  readonly records: number;
  /** Captured events of which the topic holds a record, as it was published. */
  readonly arrived: number;
  /** Records beyond an event's first. */
  readonly duplicates: number;
  /** Captured, and not on the topic. */
  readonly missing: number;
  /** Of those, events that were delivered to a topic that was deleted. */
  readonly deleted: number;
  /** Of the others, events of which the publisher said that they were delivered. */
  readonly missingButDelivered: number;
  /** Of the others, events of which the publisher has said nothing. */
  readonly missingWithoutWord: number;
  /** Some of the last two kinds, for whoever looks for the cause. */
  readonly examples: readonly string[];
  /** Events that arrived although the publisher said that they were dropped. */
  readonly arrivedButDropped: number;
  /** Records that hold no event, other bytes than were published, or an event that nobody captured. */
  readonly strange: number;
  /** Holes in the sequence of an instance, between what arrived. */
  readonly holes: number;
}

interface Captured extends CapturedNote {
  outcome?: string;
  settledAt?: number;
}

const [brokers = "", topic = "", file = "", deletedUntil = "0"] = process.argv.slice(2);
const byId = readNotes(readFileSync(file, "utf8"));
const captured = [...byId.values()];
const admin = adminOf(brokers);
const records = await readTopic(loadKafkaClient(), brokers, topic, await admin.ends(topic));
await admin.close();

const seen = new Map<string, Captured>();
let strange = 0;
for (const { value } of records) {
  const entry = published(value ?? new Uint8Array());
  if (entry === undefined) strange += 1;
  else seen.set(entry.eventId, entry);
}

const missing = captured.filter(({ eventId }) => !seen.has(eventId));
const deleted = new Set(missing.filter(isDeleted));
const unexplained = missing.filter((entry) => (entry.outcome ?? "delivered") === "delivered" && !deleted.has(entry));
const verdict: Verdict = {
  captured: captured.length,
  records: records.length,
  arrived: seen.size,
  duplicates: records.length - strange - seen.size,
  missing: missing.length,
  deleted: deleted.size,
  missingButDelivered: unexplained.filter(({ outcome }) => outcome === "delivered").length,
  missingWithoutWord: unexplained.filter(({ outcome }) => outcome === undefined).length,
  examples: unexplained
    .slice(0, 5)
    .map(({ sequence, settledAt = 0 }) => `number ${sequence}, settled at ${new Date(settledAt).toISOString()}`),
  arrivedButDropped: [...seen.values()].filter(({ outcome }) => outcome !== undefined && outcome !== "delivered")
    .length,
  strange,
  holes: holesIn([...seen.values()]),
};
process.stdout.write(JSON.stringify(verdict));
process.exit();

function readNotes(text: string): Map<string, Captured> {
  const found = new Map<string, Captured>();
  for (const line of text.split("\n").slice(0, -1)) {
    const entry: Note = JSON.parse(line);
    if ("hash" in entry) found.set(entry.eventId, entry);
    else Object.assign(found.get(entry.eventId) ?? {}, { outcome: entry.outcome, settledAt: entry.at });
  }
  return found;
}

/** The captured event that a record holds, as it was published. */
function published(value: Uint8Array): Captured | undefined {
  try {
    const { eventId, instanceId, sequence } = fromBinary(SessionActivityEventSchema, value);
    const entry = byId.get(eventId);
    const hash = createHash("sha256").update(value).digest("base64");
    const same = entry?.hash === hash && entry.instanceId === instanceId && entry.sequence === Number(sequence);
    return same ? entry : undefined;
  } catch {
    // No event at all.
    return undefined;
  }
}

function isDeleted({ outcome, settledAt = Infinity }: Captured): boolean {
  return outcome === "delivered" && settledAt <= Number(deletedUntil);
}

function holesIn(events: readonly Captured[]): number {
  let holes = 0;
  const instances = new Map<string, number[]>();
  for (const { instanceId, sequence } of events) {
    const own = instances.get(instanceId);
    if (own === undefined) instances.set(instanceId, [sequence]);
    else own.push(sequence);
  }
  for (const numbers of instances.values()) {
    const sorted = numbers.sort((one, other) => one - other);
    holes += (sorted.at(-1) ?? 0) - (sorted[0] ?? 0) + 1 - sorted.length;
  }
  return holes;
}
