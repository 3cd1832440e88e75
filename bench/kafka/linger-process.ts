// Publishes events at a steady rate, by the publisher that is asked for: `node linger-process.js BROKERS LINGER_MS...`.
// One process for all, since two with the same code differ. The publishers whose turn it is not have nothing to do.
import { setTimeout as delay } from "node:timers/promises";
import { createEventRecord } from "connect-session-activity";
import { createKafkaPublisher } from "connect-session-activity/kafka";
import { answerParent } from "../kit/peer-process.js";
import { median } from "../kit/statistics.js";
import { cpuBetween, type ThreadCpu, threadsOf } from "../kit/thread-cpu.js";
import { typicalEvent } from "../kit/typical-event.js";

export interface LingerQuestion {
  /** Which one, by its place among the arguments. */
  readonly publisher: number;
  readonly count: number;
  readonly perSecond: number;
}

export interface LingerAnswer extends ThreadCpu {
  /** From the publishing of an event to its delivery report: the median. */
  readonly deliveryMs: number;
}

const [, , brokers = "", ...lingersMs] = process.argv;
const publishers = lingersMs.map((lingerMs) => {
  const properties = { "linger.ms": Number(lingerMs) };
  return createKafkaPublisher({ brokers, topic: "linger", log: false, properties });
});
const record = createEventRecord(typicalEvent(1));

answerParent(async ({ publisher: place, count, perSecond }: LingerQuestion): Promise<LingerAnswer> => {
  const publisher = publishers[place];
  if (publisher === undefined) throw new Error(`there is no publisher ${place}`);
  const before = threadsOf(process.pid);
  const start = performance.now();
  const deliveriesMs: number[] = [];
  for (let published = 0; published < count; await delay(1)) {
    for (; published < Math.min(count, ((performance.now() - start) * perSecond) / 1_000); published++) {
      const at = performance.now();
      // Asking costs something: every tenth is enough.
      const settled = (): void => void deliveriesMs.push(performance.now() - at);
      publisher.publish(record, published % 10 === 0 ? settled : undefined);
    }
  }
  while (publisher.stats().queued > 0) await delay(1);
  return { ...cpuBetween(process.pid, before, threadsOf(process.pid)), deliveryMs: median(deliveriesMs) };
});
