import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { KafkaPublisherOptions } from "../../src/kafka/index.js";
import type { PublisherStats } from "../../src/publishing/publisher.js";
import type { Cluster } from "./cluster.js";
import { type Damage, type Fault, inSync } from "./faults.js";
import { untilLed } from "./leadership.js";
import { type CallFigures, type LoadRates, startLoad } from "./load.js";
import type { Verdict } from "./oracle.js";
import { startService } from "./rig.js";
import { watchDeliveries } from "./watch.js";

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
  /** From the end of the last fault to the moment when Kafka could take a record: its own part of the recovery. */
  readonly kafkaMs: number;
  /** From the end of the last fault to the moment when no backlog was left. */
  readonly backlogMs: number;
  /** Captured events that are neither on the topic nor counted as dropped nor deleted with it. Must be 0. */
  readonly lost: number;
  /** Bytes of the service process, as the system counts them. */
  readonly memory: Memory;
  /** What the publisher logged. */
  readonly lines: readonly string[];
}

/** The memory of a process. */
export interface Memory {
  readonly before: number;
  /** When the first event found the queue full; 0 where none did. */
  readonly bound: number;
  /** At the end of the last fault. */
  readonly fault: number;
  readonly peak: number;
  readonly after: number;
}

/** A fault, and for how long. */
export interface PlannedFault {
  readonly fault: Fault;
  readonly holdMs: number;
}

/** How a trial is set up. */
export interface TrialOptions {
  readonly faults: readonly PlannedFault[];
  readonly rates: LoadRates;
  /** Marked calls that the service makes to itself in memory, beside those of the rates. */
  readonly ownCallsPerSecond?: number;
  readonly quietMs: number;
  /** Whether the publisher is asked what became of each event. What a deleted topic held is known only then. */
  readonly asksOutcomes: boolean;
  /** Further options of the publisher. */
  readonly kafka?: Pick<KafkaPublisherOptions, "deliveryTimeoutMs" | "properties">;
}

/** Runs one trial on a topic of its own. */
export async function runTrial(cluster: Cluster, options: TrialOptions): Promise<Trial> {
  const topic = `trial-${randomBytes(6).toString("hex")}`;
  await cluster.admin.createTopic(topic, 3);
  await inSync(cluster, topic);
  const service = await startService({
    kafka: { brokers: cluster.brokers, topic, ...options.kafka },
    asksOutcomes: options.asksOutcomes,
    ownCallsPerSecond: options.ownCallsPerSecond ?? 0,
  });
  const load = startLoad(service.port, options.rates);
  try {
    // The first calls pay for what is compiled and connected when it is first needed.
    await delay(1_000);
    await load.steady();
    load.phase();
    await delay(options.quietMs);
    const quiet = load.phase();
    const { rss: before } = await service.stats();
    const watch = watchDeliveries(service);
    const damages: Damage[] = [];
    for (const { fault, holdMs } of options.faults) damages.push(await fault(cluster, topic, holdMs, watch.silence));
    const mended = performance.now();
    const [recovery, kafkaMs] = await Promise.all([
      watch.recovery(options.rates.tracked + (options.ownCallsPerSecond ?? 0)),
      untilLed(cluster, topic).then(() => performance.now() - mended),
    ]);
    await service.stop();
    const during = await load.stop();
    const { stallMs, bound, peak } = await watch.stop();
    await inSync(cluster, topic);
    const stats = await service.settled();
    const { lines, rss: after } = await service.stats();
    const deletedUntil = Math.max(0, ...damages.map((damage) => damage.deletedUntil ?? 0));
    const verdict = await service.reconcile(cluster.brokers, topic, deletedUntil);
    await service.close();
    await cluster.admin.deleteTopic(topic);
    return {
      evidence: damages.map(({ evidence }) => evidence),
      verdict,
      stats,
      quiet: quiet.tracked,
      during: during.tracked,
      control: during.control,
      stallMs,
      recoveryMs: recovery.deliveryMs,
      kafkaMs,
      backlogMs: recovery.backlogMs,
      lost: lostOf(verdict, stats, options.asksOutcomes),
      memory: { before, bound, fault: recovery.rss, peak, after },
      lines,
    };
  } finally {
    await load.stop();
    service.kill();
  }
}

/** Where outcomes were not asked for, only the counts can be compared. */
function lostOf({ missing, missingButDelivered, missingWithoutWord }: Verdict, stats: PublisherStats, asked: boolean) {
  return asked ? missingButDelivered + missingWithoutWord : Math.max(0, missing - sum(stats.dropped));
}

/** Whether every event is accounted for, and no call paid for it. */
export function isSound({ lost, verdict, during, control, stats, evidence }: Trial): boolean {
  const { captured, strange, holes, deleted } = verdict;
  return (
    lost === 0 &&
    strange === 0 &&
    captured === stats.offered &&
    stats.offered === stats.delivered + sum(stats.dropped) + stats.queued &&
    holes <= sum(stats.dropped) + deleted &&
    during.failed + control.failed === 0 &&
    evidence.length > 0
  );
}

export function sum(dropped: PublisherStats["dropped"]): number {
  return Object.values(dropped).reduce((total, count) => total + count, 0);
}
