// The process whose power is lost: `node power-writer.js --directory D --marks FILE --durability power --calls N --seed S`.
//
// It makes calls, and writes down what it was told, and when: a line each, by one write. What stands for Kafka takes some events
// at once, some later, and some never.
//
// | mark              | what has happened                                                       |
// | ----------------- | ----------------------------------------------------------------------- |
// | `called ID`       | a call is about to begin                                                |
// | `begun ID`        | `begin` has resolved: from now on, the event must not be lost           |
// | `offered ID BYTES` | the publisher was handed the event: it is finished, and its bytes fixed |
// | `delivered ID`    | Kafka has it                                                            |
import { openSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import type { Publisher, Settled } from "../../src/publishing/publisher.js";
import { createDurablePublisher } from "../../src/spool/index.js";
import { createRandom } from "../support/random.js";

const { values } = parseArgs({
  options: {
    directory: { type: "string", default: "" },
    marks: { type: "string", default: "" },
    durability: { type: "string", default: "power" },
    calls: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    dies: { type: "boolean", default: false },
  },
});
const random = createRandom(Number(values.seed));
const marks = openSync(values.marks, "a");
const parallel = 8;
/** Large enough that LevelDB begins new files. */
const [fewBytes, manyBytes] = [200, 60_000];

function mark(...words: string[]): void {
  writeSync(marks, `${words.join(" ")}\n`);
}

async function settle(record: EventRecord, settled: Settled | undefined): Promise<void> {
  if (random.below(10) === 0) return;
  await sleep(random.below(20));
  if (random.below(5) === 0) {
    settled?.("expired", record);
    return;
  }
  mark("delivered", record.eventId);
  settled?.("delivered", record);
}

const kafka: Publisher = {
  publish(record, settled) {
    mark("offered", record.eventId, Buffer.from(record.bytes).toString("base64"));
    void settle(record, settled);
  },
  stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(kafka.stats()),
};

const publisher = createDurablePublisher({
  directory: values.directory,
  durability: values.durability === "process" ? "process" : "power",
  // So that what `begin` allows is stored.
  onUnrecordable: "refuse",
  writeTimeoutMs: 4_000,
  publisher: kafka,
});

const instanceId = `run-${values.seed}`;
const calls = Number(values.calls);
let begun = 0;
let sequence = 0n;

async function callOn(): Promise<void> {
  while (begun < calls) {
    begun += 1;
    const eventId = `${instanceId}-${begun}`;
    const bytes = random.below(12) === 0 ? manyBytes : fewBytes;
    const event = create(SessionActivityEventSchema, {
      eventId,
      instanceId,
      encodedSessionContext: "x".repeat(random.below(bytes)),
      startedAt: timestampNow(),
    });
    mark("called", eventId);
    if ((await publisher.begin(createEventRecord(event))) === "refuse") continue;
    mark("begun", eventId);
    if (random.below(10) === 0) continue;
    await sleep(random.below(3));
    sequence += 1n;
    publisher.publish(createEventRecord({ ...event, status: "OK", sequence }));
  }
}

await Promise.all(Array.from({ length: parallel }, callOn));
await sleep(20);
if (values.dies) process.kill(process.pid, "SIGKILL");
await publisher.close();
process.exit();
