// A process whose disk has trouble: `node disk-process.js --scene full --directory D --onUnrecordable run`. It prints what
// became of its calls.
//
// | scene     | the disk                                                                     |
// | --------- | ---------------------------------------------------------------------------- |
// | `full`    | is small, and has room again after a while                                   |
// | `refused` | takes nothing                                                                |
// | `hung`    | answers no `fdatasync`                                                       |
import { lookup } from "node:dns/promises";
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord } from "../../src/publishing/event-record.js";
import type { Publisher, PublisherStats } from "../../src/publishing/publisher.js";
import type { SpoolStats } from "../../src/publishing/spool-stats.js";
import { createDurablePublisher } from "../../src/spool/index.js";
import { until } from "../support/until.js";

const { values } = parseArgs({
  options: {
    scene: { type: "string", default: "" },
    directory: { type: "string", default: "" },
    onUnrecordable: { type: "string", default: "run" },
  },
});
const isRefusing = values.onUnrecordable === "refuse";
const mostCalls = 5_000;
/** To go on after a full disk, LevelDB needs as much room as its log has: a few MiB. */
const fillerBytes = 12 * 2 ** 20;

let isKafkaOut = true;
const kafka: Publisher = {
  publish: (record, settled) => queueMicrotask(() => settled?.(isKafkaOut ? "expired" : "delivered", record)),
  stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(kafka.stats()),
};
const publisher = createDurablePublisher({
  directory: values.directory,
  durability: values.scene === "hung" ? "power" : "process",
  onUnrecordable: isRefusing ? "refuse" : "run",
  writeTimeoutMs: values.scene === "hung" ? 200 : 4_000,
  publisher: kafka,
  log: false,
});

let calls = 0;
/** Whether the call ran. */
async function call(): Promise<boolean> {
  calls += 1;
  const event = create(SessionActivityEventSchema, {
    eventId: `event-${calls}`,
    instanceId: "run",
    encodedSessionContext: "x".repeat(5_000),
    startedAt: timestampNow(),
  });
  if ((await publisher.begin(createEventRecord(event))) === "refuse") return false;
  publisher.publish(createEventRecord({ ...event, status: "OK", sequence: BigInt(calls) }));
  return true;
}

/** What the process tells of its scene. */
export interface DiskReport {
  /** Whether the first call ran that could not be recorded. */
  readonly ran: boolean;
  readonly spool: SpoolStats;
  /** All that were offered, once Kafka is back. */
  readonly publisher: PublisherStats;
  /** What the rest of the process can still do. */
  readonly canRead: boolean;
}

async function runIntoTrouble(): Promise<boolean> {
  for (let done = 0; done < mostCalls; done += 1) {
    const hasRun = await call();
    if (Object.keys(publisher.spool().unrecorded).length > 0) return hasRun;
  }
  throw new Error("the disk had no trouble");
}

async function inFull(): Promise<boolean> {
  const filler = join(dirname(values.directory), "filler");
  await writeFile(filler, Buffer.alloc(fillerBytes));
  const ran = await runIntoTrouble();
  await rm(filler);
  await until(() => publisher.problem() === undefined);
  const { stored } = publisher.spool();
  await until(async () => {
    await call();
    return publisher.spool().stored > stored;
  });
  isKafkaOut = false;
  await until(() => publisher.stats().queued === 0);
  return ran;
}

/** With more in the way than Node has threads, if each held one. */
async function inHung(): Promise<boolean> {
  const ran = await runIntoTrouble();
  for (let more = 0; more < 20; more += 1) void call();
  await sleep(500);
  return ran;
}

async function canRead(): Promise<boolean> {
  const work = Promise.all([readFile(fileURLToPath(import.meta.url)), lookup("localhost")]).then(() => true);
  return await Promise.race([work, sleep(5_000, false)]);
}

const ran = await (values.scene === "full" ? inFull() : values.scene === "hung" ? inHung() : runIntoTrouble());
const report: DiskReport = { ran, spool: publisher.spool(), publisher: publisher.stats(), canRead: await canRead() };
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.kill(process.pid, "SIGKILL"));
