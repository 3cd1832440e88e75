import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { PublisherStats } from "../../src/publishing/publisher.js";
import { root } from "../support/root.js";
import { startTarget, type Target } from "./kafka-target.js";
import { compileProcesses } from "./rig.js";

const hour = 3_600_000;
const clock = mkdtempSync(join(tmpdir(), "wrong-clock-"));
let target: Target;
beforeAll(async () => {
  const source = join(root, "test", "kafka-real", "wrong-clock.c");
  const { error, status, stderr } = spawnSync(
    "cc",
    ["-shared", "-fPIC", "-o", join(clock, "wrong-clock.so"), source, "-ldl"],
    { encoding: "utf8" },
  );
  if (error !== undefined || status !== 0) {
    throw new Error(
      `a wrong clock needs Linux and a C compiler (on Debian: apt-get install gcc libc6-dev): ${error ?? stderr}`,
    );
  }
  compileProcesses();
  target = await startTarget();
});
afterAll(async () => {
  rmSync(clock, { recursive: true, force: true });
  await target?.close();
});

interface Outcome {
  readonly clockMs: number;
  readonly stats: PublisherStats;
  readonly lines: readonly string[];
}

/** What becomes of ten events of a process whose clock is off by that much. */
async function publishAt(offMs: number, topic: string): Promise<Outcome> {
  const script = join(root, ".cache", "kafka-real", "test", "kafka-real", "publish.js");
  const env = { ...process.env, LD_PRELOAD: join(clock, "wrong-clock.so"), WRONG_CLOCK_MS: `${offMs}` };
  const { stdout } = await promisify(execFile)(process.execPath, [script, target.brokers, topic], {
    env,
    timeout: 60_000,
  });
  const outcome: Outcome = JSON.parse(stdout);
  expect(Math.abs(outcome.clockMs - (Date.now() + offMs))).toBeLessThan(60_000);
  return outcome;
}

const delivered = { offered: 10, delivered: 10, dropped: {}, queued: 0 };

test.each([2 * hour, -2 * hour])(
  "a service whose clock is off by %i ms writes to topics with LogAppendTime",
  async (off) => {
    const topic = await target.topic(1, { "message.timestamp.type": "LogAppendTime" });
    const { clockMs, stats } = await publishAt(off, topic);
    expect(stats).toEqual(delivered);
    const records = await target.read(topic);
    expect(records).toHaveLength(10);
    for (const { timestamp, value } of records) {
      // The record's time is the broker's, and the event's that of the service.
      expect(Math.abs(Number(timestamp) - Date.now())).toBeLessThan(60_000);
      const { startedAt } = fromBinary(SessionActivityEventSchema, value!);
      expect(Math.abs(Number(startedAt?.seconds) * 1_000 - clockMs)).toBeLessThan(60_000);
    }
  },
);

test("one that is two hours fast is refused by topics with CreateTime: counted, and told what to look at", async () => {
  const topic = await target.topic(1, { "message.timestamp.type": "CreateTime" });
  const { stats, lines } = await publishAt(2 * hour, topic);
  expect(stats).toEqual({ offered: 10, delivered: 0, dropped: { invalid_record: 10 }, queued: 0 });
  expect(lines).toEqual([expect.stringContaining("check this machine's clock")]);
  expect(await target.read(topic)).toEqual([]);
});

test("one that is two hours slow is not", async () => {
  const topic = await target.topic(1, { "message.timestamp.type": "CreateTime" });
  const { clockMs, stats } = await publishAt(-2 * hour, topic);
  expect(stats).toEqual(delivered);
  const [record] = await target.read(topic);
  expect(Math.abs(Number(record?.timestamp) - clockMs)).toBeLessThan(60_000);
});
