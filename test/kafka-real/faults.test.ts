import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, startCluster } from "./cluster.js";
import { type Fault, type FaultName, faults } from "./faults.js";
import { compileProcesses } from "./rig.js";
import { isSound, runTrial, sum, type Trial, type TrialOptions } from "./trial.js";

let cluster: Cluster;
beforeAll(async () => {
  compileProcesses();
  cluster = await startCluster(3);
});
afterAll(() => cluster?.close());

function run(fault: Fault, holdMs: number, kafka: TrialOptions["kafka"] = {}): Promise<Trial> {
  const rates = { tracked: 100, control: 100 };
  return runTrial(cluster, { faults: [{ fault, holdMs }], rates, quietMs: 500, asksOutcomes: true, kafka });
}

// Each fault of `npm run chaos` once. It throws where the fault did not really happen.
const holdsMs: Readonly<Record<FaultName, number>> = {
  "rolling restart": 0,
  "leader killed": 2_000,
  "leader frozen": 10_000,
  "two brokers killed": 5_000,
  "full outage": 20_000,
  "topic re-created": 5_000,
};
test.each(Object.entries(holdsMs) as [FaultName, number][])(
  "%s for %i ms: every event is delivered or counted, and no call fails",
  async (name, holdMs) => {
    const trial = await run(faults[name], holdMs);
    expect(trial.evidence).toHaveLength(1);
    expect(trial.stats.offered).toBeGreaterThan(100);
    expect(trial.lost).toBe(0);
    expect(trial.during.errors).toEqual([]);
    expect(isSound(trial), JSON.stringify(trial)).toBe(true);
    if (name === "topic re-created") expect(trial.verdict.deleted).toBeGreaterThan(0);
  },
  180_000,
);

test("an outage longer than the delivery timeout: what expires is counted, and nothing else is missing", async () => {
  const trial = await run(faults["full outage"], 6_000, { deliveryTimeoutMs: 3_000 });
  const { stats, verdict } = trial;
  expect(stats.dropped).toEqual({ expired: expect.any(Number) });
  expect(verdict.missing + verdict.arrivedButDropped).toBe(sum(stats.dropped));
  expect(verdict.holes).toBeGreaterThan(0);
  expect(isSound(trial), JSON.stringify(trial)).toBe(true);
});

test("a run in which Kafka loses records is not sound", async () => {
  const trial = await run(async ({ admin }, topic) => {
    await admin.client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "7" }] });
    return { evidence: "7 records were deleted" };
  }, 0);
  expect(trial.lost).toBe(7);
  expect(isSound(trial)).toBe(false);
});
