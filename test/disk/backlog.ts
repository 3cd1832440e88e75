// Recovers a large backlog, and measures how fast, how large it is on the disk, and whether the memory stays flat:
// `npm run backlog -- --events 1000000`. Ends with an error if an event is missing, or if the memory grows with the backlog.
// The command gives it a small heap, so that what V8 has not collected yet is not taken for growth.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord } from "../../src/publishing/event-record.js";
import type { Publisher } from "../../src/publishing/publisher.js";
import { createDurablePublisher } from "../../src/spool/index.js";
import { until } from "../support/until.js";

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    directory: { type: "string", default: "" },
  },
});
const events = Number(values.events);
/** So many events are handed over before the disk is waited for. */
const atOnce = 1_000;
const patienceMs = 900_000;
/** What the memory may grow by between a tenth of the backlog and all of it, in MiB. */
const mostGrowth = 64;

const outage: Publisher = {
  // It never answers: what is stored stays.
  publish: () => {},
  stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(outage.stats()),
};

/** Runs in a process of its own, whose memory is not measured. */
async function fill(directory: string): Promise<void> {
  const publisher = createDurablePublisher({ directory, publisher: outage, maxBytes: 2 ** 31 - 1, log: false });
  for (let number = 1; number <= events; number += 1) {
    const event = create(SessionActivityEventSchema, {
      eventId: `event-${number}`,
      instanceId: "run",
      service: "account-service",
      action: "example.account.v1.AccountService/ChangePassword",
      encodedSessionContext: "x".repeat(150),
      status: "OK",
      sequence: BigInt(number),
      startedAt: timestampNow(),
    });
    publisher.publish(createEventRecord(event));
    if (number % atOnce === 0) await until(() => publisher.spool().writeDelayMs === 0, undefined, patienceMs);
  }
  await publisher.close();
}

/** The memory of the process itself. LevelDB maps its files, and the kernel counts what it has of them, too, and may drop it. */
function ownMiB(): number {
  const [, kib = ""] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return Math.round(Number(kib) / 1_024);
}

async function recoverAll(directory: string): Promise<void> {
  let last = 0n;
  let recovered = 0;
  let ownAtTenth = 0;
  const kafka: Publisher = {
    ...outage,
    publish(record, settled) {
      if (record.sequence !== last + 1n) throw new Error(`${record.sequence} came after ${last}`);
      last = record.sequence;
      recovered += 1;
      if (recovered === Math.ceil(events / 10)) ownAtTenth = ownMiB();
      setImmediate(() => settled?.("delivered", record));
    },
  };
  const startedAt = performance.now();
  const publisher = createDurablePublisher({ directory, publisher: kafka, log: false });
  await until(
    () => publisher.spool().recovered === events,
    () => publisher.spool(),
    patienceMs,
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  const ownAtEnd = ownMiB();
  await publisher.close();
  console.log(JSON.stringify({ recovered, perSecond: Math.round(recovered / seconds), ownAtTenth, ownAtEnd }));
  if (ownAtEnd - ownAtTenth > mostGrowth) throw new Error("the memory grows with the backlog");
}

function bytesBelow(directory: string): number {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "backlog-"));
  try {
    const args = [fileURLToPath(import.meta.url), "--directory", directory, "--events", values.events];
    const { status } = spawnSync(process.execPath, args, { stdio: "inherit" });
    if (status !== 0) throw new Error("the backlog was not made");
    console.log(JSON.stringify({ events, bytesPerEvent: Math.round(bytesBelow(directory) / events) }));
    await recoverAll(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

await (values.directory === "" ? main() : fill(values.directory));
