// Reads a topic from its beginning to its end, in a process of its own, and reconciles it with what a service says that it
// published: argv holds the brokers, the topic, and the file of the captured events. It prints a `Verdict` as JSON.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { loadKafkaClient } from "../../src/kafka/client.js";
import { adminOf } from "./admin.js";
import { readTopic } from "./read-topic.js";
import type { Captured } from "./service.js";

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
  /** Of those, events of which the publisher said that they were delivered. */
  readonly missingButDelivered: number;
  /** Of those, events of which the publisher has said nothing. */
  readonly missingWithoutWord: number;
  /** Events that arrived although the publisher said that they were dropped. */
  readonly arrivedButDropped: number;
  /** Records whose bytes are not those that were published, or of events that nobody captured. */
  readonly strange: number;
  /** Holes in the sequence of an instance, between what arrived. */
  readonly holes: number;
}

const [brokers = "", topic = "", file = ""] = process.argv.slice(2);
const captured: Captured[] = JSON.parse(readFileSync(file, "utf8"));
const admin = adminOf(brokers);
const records = await readTopic(loadKafkaClient(), brokers, topic, await admin.ends(topic));
await admin.close();

const byId = new Map(captured.map((entry) => [entry.eventId, entry]));
const seen = new Map<string, Captured>();
let strange = 0;
for (const { value } of records) {
  const { eventId, instanceId, sequence } = fromBinary(SessionActivityEventSchema, value ?? new Uint8Array());
  const entry = byId.get(eventId);
  const hash = createHash("sha256")
    .update(value ?? "")
    .digest("base64");
  const same = entry?.hash === hash && entry.instanceId === instanceId && entry.sequence === Number(sequence);
  if (same) seen.set(eventId, entry);
  else strange += 1;
}

const missing = captured.filter(({ eventId }) => !seen.has(eventId));
const verdict: Verdict = {
  captured: captured.length,
  records: records.length,
  arrived: seen.size,
  duplicates: records.length - strange - seen.size,
  missing: missing.length,
  missingButDelivered: missing.filter(({ outcome }) => outcome === "delivered").length,
  missingWithoutWord: missing.filter(({ outcome }) => outcome === undefined).length,
  arrivedButDropped: [...seen.values()].filter(({ outcome }) => outcome !== undefined && outcome !== "delivered")
    .length,
  strange,
  holes: holesIn([...seen.values()]),
};
process.stdout.write(JSON.stringify(verdict));
process.exit();

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
