import { toBinary } from "@bufbuild/protobuf";
import { expect, it, onTestFinished } from "vitest";
import { SessionActivityEventSchema } from "../../src/index.js";
import { type ConsumerProblem, type InvalidReason, startEmbeddedKafka } from "../../src/kafka/index.js";
import { consumerProblems, invalidReasons } from "../../src/telemetry/consumer-instruments.js";
import { instrumentSessionActivityConsumer } from "../../src/telemetry/index.js";
import { startConsumer, write } from "../kafka/consumer/consumer-fixtures.js";
import { eventOf } from "../kafka/kafka-fixtures.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";
import { startMetrics } from "./metrics-fixtures.js";

const topic = "session-activities";

async function startKafka(): Promise<string> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  return kafka.brokers;
}

function values(from: number, to: number) {
  return Array.from({ length: to - from + 1 }, (_, index) => ({
    partition: 0,
    value: toBinary(SessionActivityEventSchema, eventOf(from + index)),
  }));
}

it("gives what a consumer did to a real SDK", async () => {
  const metrics = startMetrics();
  const brokers = await startKafka();
  const consumer = startConsumer({ brokers, topic, handle() {}, onInvalid() {} });
  instrumentSessionActivityConsumer(consumer, { meter: metrics.meter });
  await write(brokers, topic, [...values(1, 5), { partition: 0, value: Buffer.from("not an event") }]);
  await until(() => consumer.stats().invalid.undecodable === 1, consumer.stats);
  expect(await metrics.series()).toMatchObject({
    "session_activity.consumer.handled": 5,
    "session_activity.consumer.set_aside{session_activity.reason=undecodable}": 1,
    "session_activity.consumer.set_aside{session_activity.reason=poison}": 0,
    "session_activity.consumer.lag": 0,
    "session_activity.consumer.queued": 0,
    "session_activity.consumer.oldest.age": 0,
    "session_activity.consumer.joined": 1,
    "session_activity.consumer.partition.assigned": 4,
    "session_activity.consumer.problem{session_activity.problem=standstill}": 0,
  });
});

it("the lag of a consumer that stands still grows, and goes when it works again", async () => {
  const metrics = startMetrics();
  const brokers = await startKafka();
  let works = false;
  const consumer = startConsumer({
    brokers,
    topic,
    stuckAfterMs: 200,
    retry: { backoffMs: 10, maxBackoffMs: 50 },
    handle() {
      if (!works) throw new Error("no");
    },
  });
  instrumentSessionActivityConsumer(consumer, { meter: metrics.meter });
  await write(brokers, topic, values(1, 10));
  await until(() => consumer.stats().lag === 10, consumer.stats);
  // Nothing of the partition is fetched any more.
  await write(brokers, topic, values(11, 30));
  await until(() => consumer.stats().lag === 30, consumer.stats);
  await until(() => consumer.stats().problems.includes("standstill"), consumer.stats);
  const series = await metrics.series();
  expect(series).toMatchObject({
    "session_activity.consumer.lag": 30,
    "session_activity.consumer.partition.retrying": 1,
    "session_activity.consumer.problem{session_activity.problem=standstill}": 1,
  });
  expect(series["session_activity.consumer.oldest.age"]).toBeGreaterThan(0.1);
  works = true;
  await until(() => consumer.stats().handled === 30 && consumer.stats().lag === 0, consumer.stats);
  expect(await metrics.series()).toMatchObject({
    "session_activity.consumer.lag": 0,
    "session_activity.consumer.problem{session_activity.problem=standstill}": 0,
  });
});

it("the lag of a group that has not begun is what lies before it, or nothing if it begins at the end", async () => {
  const brokers = await startKafka();
  await write(brokers, topic, values(1, 7));
  const blocked = new Promise<void>(() => {});
  const earliest = startConsumer({ brokers, topic, closeTimeoutMs: 10, handle: () => blocked });
  await until(() => earliest.stats().lag === 7, earliest.stats);
  const latest = startConsumer({ brokers, topic, groupId: "late", startAt: "latest", handle() {} });
  await until(() => latest.stats().assigned === 4);
  await write(brokers, topic, values(8, 9));
  await until(() => latest.stats().handled === 2, latest.stats);
  expect(latest.stats().lag).toBe(0);
});

it("refuses to instrument the same twice, and two without attributes", async () => {
  const { meter } = startMetrics();
  const brokers = await startKafka();
  const first = startConsumer({ brokers, topic, handle() {} });
  const second = startConsumer({ brokers, topic, groupId: "second", handle() {} });
  const instrumentation = instrumentSessionActivityConsumer(first, { meter });
  for (const consumer of [first, second]) {
    expect(refusalOf(() => instrumentSessionActivityConsumer(consumer, { meter }))).toMatchObject({
      code: "ERR_OPTION_CONFLICT",
    });
  }
  instrumentation.end();
  instrumentSessionActivityConsumer(second, { meter }).end();
});

it("knows every reason and every problem", () => {
  // The compiler says so: these lists stand apart from the types, since entries do not import each other.
  const reasons: Readonly<Record<InvalidReason, 0>> = invalidReasons;
  const problems: Readonly<Record<ConsumerProblem, 0>> = consumerProblems;
  const reason: InvalidReason | undefined = undefined as keyof typeof invalidReasons | undefined;
  const problem: ConsumerProblem | undefined = undefined as keyof typeof consumerProblems | undefined;
  expect([Object.keys(reasons).length, Object.keys(problems).length, reason, problem]).toEqual([
    5,
    4,
    undefined,
    undefined,
  ]);
});
