// Publishes events at a steady rate: `node linger-process.js BROKERS LINGER_MS`.
import { setTimeout as delay } from "node:timers/promises";
import { createEventRecord } from "connect-session-activity";
import { createKafkaPublisher } from "connect-session-activity/kafka";
import { answerParent } from "../kit/peer-process.js";
import { median } from "../kit/statistics.js";
import { cpuBetween, type ThreadCpu, threadsOf } from "../kit/thread-cpu.js";
import { typicalEvent } from "../kit/typical-event.js";

export interface LingerQuestion {
  readonly count: number;
  readonly perSecond: number;
}

export interface LingerAnswer extends ThreadCpu {
  /** From the publishing of an event to its delivery report: the median. */
  readonly deliveryMs: number;
}

const [, , brokers = "", lingerMs = ""] = process.argv;
const properties = { "linger.ms": Number(lingerMs) };
const publisher = createKafkaPublisher({ brokers, topic: `linger-${process.pid}`, log: false, properties });
const record = createEventRecord(typicalEvent(1));

answerParent(async ({ count, perSecond }: LingerQuestion): Promise<LingerAnswer> => {
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
