import { setTimeout as delay } from "node:timers/promises";
import type { PartitionMetadata } from "kafkajs";
import { until } from "../support/until.js";
import type { Cluster } from "./cluster.js";
import { untilForgotten } from "./leadership.js";
import { isStopped, type KafkaNode } from "./node.js";

/**
 * Breaks something, for about that long, and mends it. Resolves when what it mended answers again; fails where nothing broke.
 * `silence` resolves when the service has reported no delivery for a while.
 */
export type Fault = (cluster: Cluster, topic: string, holdMs: number, silence: () => Promise<void>) => Promise<Damage>;

/** What a fault did. */
export interface Damage {
  /** What shows that it really happened. */
  readonly evidence: string;
  /** Until when, in ms since 1970, records went to a topic that is deleted. */
  readonly deletedUntil?: number;
}

export type FaultName =
  | "rolling restart"
  | "leader killed"
  | "leader frozen"
  | "two brokers killed"
  | "full outage"
  | "topic re-created";

/** What can happen to a cluster of three. */
export const faults: Readonly<Record<FaultName, Fault>> = {
  "rolling restart": async (cluster, topic) => {
    const pids: (number | undefined)[] = [];
    for (const node of cluster.nodes) {
      pids.push(node.pid);
      await node.stop();
      gone(node);
      await node.start();
      await inSync(cluster, topic);
    }
    return { evidence: `pids ${pids.join(", ")} ended and were replaced` };
  },
  "leader killed": async (cluster, topic, holdMs) => {
    const leader = await leaderOf(cluster, topic);
    const { pid } = leader;
    await leader.kill();
    gone(leader);
    await delay(holdMs);
    await leader.start();
    return { evidence: `pid ${pid}, leader of partition 0, was killed` };
  },
  "leader frozen": async (cluster, topic, holdMs) => {
    const leader = await leaderOf(cluster, topic);
    await leader.freeze();
    await delay(holdMs);
    if (!isStopped(leader.pid)) throw new Error(`pid ${leader.pid} was not frozen`);
    leader.thaw();
    return { evidence: `pid ${leader.pid}, leader of partition 0, stood still` };
  },
  "two brokers killed": async (cluster, topic, holdMs) => {
    const leader = await leaderOf(cluster, topic);
    const other = cluster.nodes.find((node) => node !== leader)!;
    const pids = [leader.pid, other.pid];
    await Promise.all([leader.kill(), other.kill()]);
    gone(leader);
    gone(other);
    await delay(holdMs);
    await Promise.all([leader.start(), other.start()]);
    return { evidence: `pids ${pids.join(", ")} were killed` };
  },
  "full outage": async (cluster, _topic, holdMs) => {
    const pids = cluster.nodes.map(({ pid }) => pid);
    await Promise.all(cluster.nodes.map((node) => node.kill()));
    for (const node of cluster.nodes) gone(node);
    await delay(holdMs);
    await Promise.all(cluster.nodes.map((node) => node.start()));
    return { evidence: `pids ${pids.join(", ")} were killed` };
  },
  "topic re-created": async (cluster, topic, holdMs, silence) => {
    await cluster.admin.deleteTopic(topic);
    await untilForgotten(cluster, topic);
    await delay(holdMs);
    // The last acknowledgements of the old topic may still be on their way through the service.
    await silence();
    const deletedUntil = Date.now();
    await cluster.admin.createTopic(topic, 3);
    return { evidence: `no node knew ${topic} until ${new Date(deletedUntil).toISOString()}`, deletedUntil };
  },
};

/** Resolves when all replicas of the topic's partitions are in sync again. */
export async function inSync(cluster: Cluster, topic: string): Promise<void> {
  await cluster.ready();
  let partitions: readonly PartitionMetadata[] = [];
  const isInSync = async (): Promise<boolean> => {
    // A node that has just come back may not have heard of the topic.
    const found = await cluster.admin.client.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined);
    partitions = found?.topics[0]?.partitions ?? [];
    return (
      partitions.length > 0 && partitions.every(({ isr, leader }) => isr.length === cluster.nodes.length && leader >= 0)
    );
  };
  await until(isInSync, () => partitions, 60_000);
}

async function leaderOf(cluster: Cluster, topic: string): Promise<KafkaNode> {
  const id = await cluster.admin.leader(topic);
  const node = cluster.nodes.find((one) => one.id === id);
  if (node === undefined) throw new Error(`${topic} has no leader`);
  return node;
}

function gone(node: KafkaNode): void {
  if (node.running) throw new Error(`node ${node.id} still runs`);
  try {
    if (node.pid !== undefined) process.kill(node.pid, 0);
  } catch {
    return;
  }
  throw new Error(`pid ${node.pid} is still there`);
}
