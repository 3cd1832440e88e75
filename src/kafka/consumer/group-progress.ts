import type { TroubleLog } from "../../base/log.js";
import type { NativeConsumer } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type Bystander, createBystander } from "./bystander.js";
import { committedOffsets, partitionsOf, watermarksOf } from "./client-answers.js";
import type { ConsumerSettings } from "./consumer-options.js";

/** How far a group as a whole is, whoever of it has which partitions. */
export interface GroupProgress {
  /**
   * Whether the group has handled everything that was on the topic when this was last asked. The first answer is no, and so
   * is each while the cluster does not know the topic. Rejects if no broker answers.
   */
  readonly hasCaughtUp: () => Promise<boolean>;
  close(): Promise<void>;
}

/** Watches a group from outside, by a client of its own that is not a member. Connects when it is first asked. */
export function watchGroup(settings: ConsumerSettings, log: TroubleLog<KafkaTrouble>): GroupProgress {
  const { topic } = settings;
  let connecting: Promise<Bystander> | undefined;
  let endsBefore: ReadonlyMap<number, number> | undefined;

  function connect(): Promise<Bystander> {
    connecting ??= createBystander(settings, log).catch((error: unknown) => {
      // The next question begins anew: a file that could not be read may be there by then.
      connecting = undefined;
      throw error;
    });
    return connecting;
  }

  async function hasCaughtUp(): Promise<boolean> {
    const { client } = await connect();
    const before = endsBefore;
    // Asked before the ends: what comes in between is for the next time.
    const committed = await committedOffsets(client, topic, [...(before?.keys() ?? [])]);
    endsBefore = await endsOf(client, topic);
    if (before === undefined || endsBefore === undefined) return false;
    return [...before].every(([partition, end]) => (committed.get(partition) ?? 0) >= end);
  }

  return {
    hasCaughtUp,
    async close() {
      const bystander = await connecting?.catch(() => undefined);
      await bystander?.close();
    },
  };
}

/** Where the partitions end that have something in them. Undefined if the cluster does not know the topic. */
async function endsOf(client: NativeConsumer, topic: string): Promise<ReadonlyMap<number, number> | undefined> {
  const partitions = await partitionsOf(client, topic);
  if (partitions.length === 0) return undefined;
  const marks = [...(await watermarksOf(client, topic, partitions))];
  const filled = marks.filter(([, { lowOffset, highOffset }]) => highOffset > lowOffset);
  return new Map(filled.map(([partition, { highOffset }]) => [partition, highOffset]));
}
