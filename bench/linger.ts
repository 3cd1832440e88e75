// What waiting for fuller batches saves, and what it costs: `npm run bench:linger`, on Linux, with the rate in events per second
// as its argument (1,200 by default).
//
// One publisher for each `linger.ms`. They take turns, and the broker is a process of its own. The main thread's figure holds
// the timer that paces the events, which all have alike.
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { createEventRecord, type Publisher, SessionActivityEventSchema } from "connect-session-activity";
import { createKafkaPublisher } from "connect-session-activity/kafka";
import { mainThreadCpuUs, median } from "./measure.js";

const lingersMs = [5, 20, 50, 100, 200];
const rate = Number(process.argv[2] ?? 1_200);
const events = rate * 2;
const rounds = 5;

/** CPU time of librdkafka's threads in microseconds. */
function kafkaCpuUs(): number {
  const tasks = readdirSync("/proc/self/task").map((task) => `/proc/self/task/${task}`);
  const own = tasks.filter((task) => readFileSync(`${task}/comm`, "utf8").startsWith("rdk:"));
  return own.reduce((sum, task) => sum + Number(readFileSync(`${task}/schedstat`, "utf8").split(" ", 1)[0]) / 1_000, 0);
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const record = createEventRecord(
  create(SessionActivityEventSchema, { service: "account-service", encodedSessionContext: "c".repeat(600) }),
);

interface Cost {
  readonly main: number;
  readonly kafka: number;
  readonly deliveryMs: number;
}

async function run(publisher: Publisher): Promise<Cost> {
  const before = { main: mainThreadCpuUs(), kafka: kafkaCpuUs() };
  const start = performance.now();
  const deliveriesMs: number[] = [];
  for (let published = 0; published < events; await pause(1)) {
    for (; published < Math.min(events, ((performance.now() - start) * rate) / 1_000); published++) {
      const at = performance.now();
      // Asking costs something: every tenth is enough.
      const settled = () => void deliveriesMs.push(performance.now() - at);
      publisher.publish(record, published % 10 === 0 ? settled : undefined);
    }
  }
  while (publisher.stats().queued > 0) await pause(1);
  const perEvent = (us: number) => us / events;
  return {
    main: perEvent(mainThreadCpuUs() - before.main),
    kafka: perEvent(kafkaCpuUs() - before.kafka),
    deliveryMs: median(deliveriesMs),
  };
}

const broker = fork(fileURLToPath(new URL("./broker.js", import.meta.url)));
const [brokers] = (await once(broker, "message")) as [string];
const publishers = lingersMs.map((lingerMs) => {
  const properties = { "linger.ms": lingerMs };
  return createKafkaPublisher({ brokers, topic: `linger-${lingerMs}`, log: false, properties });
});
const costs: Cost[][] = publishers.map(() => []);
for (let round = -1; round < rounds; round++) {
  for (const [index, publisher] of publishers.entries()) {
    const cost = await run(publisher);
    if (round >= 0) costs[index]?.push(cost);
  }
}
console.log(`${rate} events per second`);
console.log("| linger.ms | main thread, us per event | Kafka's threads, us per event | delivery, ms (median) |");
console.log("| --- | --- | --- | --- |");
for (const [index, lingerMs] of lingersMs.entries()) {
  const of = (part: keyof Cost) => median((costs[index] ?? []).map((cost) => cost[part])).toFixed(1);
  console.log(`| ${lingerMs} | ${of("main")} | ${of("kafka")} | ${of("deliveryMs")} |`);
}
await Promise.all(publishers.map((publisher) => publisher.close()));
broker.disconnect();
