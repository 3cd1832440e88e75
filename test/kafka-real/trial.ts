import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { PublisherStats } from "../../src/publisher.js";
import type { Cluster } from "./cluster.js";
import { type Fault, inSync } from "./faults.js";
import { type CallFigures, startLoad } from "./load.js";
import type { Verdict } from "./oracle.js";
import { type Service, startService } from "./rig.js";

/** A service under load, in a quiet phase and during faults, and what became of its events. */
export interface Trial {
  readonly evidence: readonly string[];
  readonly verdict: Verdict;
  readonly stats: PublisherStats;
  readonly quiet: CallFigures;
  readonly during: CallFigures;
  /** Calls without a mark in the same time: what the machine alone makes of them. */
  readonly control: CallFigures;
  /** The longest time without a delivery. */
  readonly stallMs: number;
  /** From the end of the last fault to the next delivery. */
  readonly recoveryMs: number;
  /** Captured events that are neither on the topic nor counted as dropped. Must be 0. */
  readonly lost: number;
  /** What the publisher logged. */
  readonly lines: readonly string[];
}

/** A fault, and for how long. */
export interface PlannedFault {
  readonly fault: Fault;
  readonly holdMs: number;
}

/** How a trial is set up. */
export interface TrialOptions {
  readonly faults: readonly PlannedFault[];
  /** Half of the calls become events. */
  readonly callsPerSecond: number;
  readonly quietMs: number;
  readonly asksOutcomes: boolean;
}

/** Runs one trial on a topic of its own. */
export async function runTrial(cluster: Cluster, options: TrialOptions): Promise<Trial> {
  const topic = `trial-${randomBytes(6).toString("hex")}`;
  await cluster.admin.createTopic(topic, 3);
  await inSync(cluster, topic);
  const service = await startService({
    kafka: { brokers: cluster.brokers, topic },
    asksOutcomes: options.asksOutcomes,
  });
  const load = startLoad(service.port, options.callsPerSecond);
  try {
    // The first calls pay for what is compiled and connected when it is first needed.
    await delay(1_500);
    load.phase();
    await delay(options.quietMs);
    const quiet = load.phase();
    const watch = watchDeliveries(service);
    const evidence: string[] = [];
    for (const { fault, holdMs } of options.faults) evidence.push(await fault(cluster, topic, holdMs));
    const recoveryMs = await watch.nextDelivery();
    const during = await load.stop();
    const stallMs = await watch.stop();
    await inSync(cluster, topic);
    const stats = await service.settled();
    const { lines } = await service.stats();
    const verdict = await service.reconcile(cluster.brokers, topic);
    await service.close();
    await cluster.admin.deleteTopic(topic);
    const lost = options.asksOutcomes
      ? verdict.missingButDelivered + verdict.missingWithoutWord
      : Math.max(0, verdict.missing - sum(stats.dropped));
    return {
      evidence,
      verdict,
      stats,
      quiet: quiet.tracked,
      during: during.tracked,
      control: during.control,
      stallMs,
      recoveryMs,
      lost,
      lines,
    };
  } finally {
    await load.stop();
    service.kill();
  }
}

export function sum(dropped: PublisherStats["dropped"]): number {
  return Object.values(dropped).reduce((total, count) => total + count, 0);
}

interface Watch {
  nextDelivery(): Promise<number>;
  stop(): Promise<number>;
}

/** Looks at the count of deliveries all the while. */
export function watchDeliveries(service: Service): Watch {
  let stopped = false;
  let delivered = 0;
  let changedAt = performance.now();
  let stallMs = 0;
  async function look(): Promise<void> {
    while (!stopped) {
      const { stats } = await service.stats();
      const now = performance.now();
      if (stats.delivered !== delivered) {
        stallMs = Math.max(stallMs, now - changedAt);
        delivered = stats.delivered;
        changedAt = now;
      }
      await delay(10);
    }
  }
  const looking = look();
  looking.catch(() => {
    // Whoever stops it sees why.
  });
  return {
    async nextDelivery() {
      const begun = performance.now();
      const before = (await service.stats()).stats.delivered;
      while (delivered <= before) {
        if (performance.now() - begun > 60_000) throw new Error("nothing was delivered for 60 s after the fault");
        await delay(5);
      }
      return performance.now() - begun;
    },
    async stop() {
      stopped = true;
      await looking;
      return stallMs;
    },
  };
}
