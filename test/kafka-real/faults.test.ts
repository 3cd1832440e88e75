import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, startCluster } from "./cluster.js";
import { type FaultName, faults } from "./faults.js";
import { compileProcesses } from "./rig.js";
import { runTrial, sum } from "./trial.js";

let cluster: Cluster;
beforeAll(async () => {
  compileProcesses();
  cluster = await startCluster(3);
});
afterAll(() => cluster?.close());

// Each fault of `npm run chaos` once. It throws where the fault did not really happen.
test.each(Object.keys(faults) as FaultName[])(
  "%s: every event is delivered or counted, and no call fails",
  async (name) => {
    const trial = await runTrial(cluster, {
      faults: [{ fault: faults[name], holdMs: 2_000 }],
      callsPerSecond: 200,
      quietMs: 1_000,
      asksOutcomes: true,
    });
    expect(trial.evidence).toHaveLength(1);
    expect(trial.stats.offered).toBeGreaterThan(100);
    expect(trial.stats.offered).toBe(trial.stats.delivered + sum(trial.stats.dropped) + trial.stats.queued);
    expect(trial.lost).toBe(0);
    expect(trial.during.failed).toBe(0);
  },
);
