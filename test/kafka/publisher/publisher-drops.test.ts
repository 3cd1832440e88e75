import { afterEach, describe, expect, test, vi } from "vitest";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../../src/kafka/index.js";
import type { EventRecord } from "../../../src/publishing/event-record.js";
import type { DropReason } from "../../../src/publishing/publisher.js";
import { pause, until } from "../../support/until.js";
import { killBrokers, startBroker } from "../broker.js";
import { gate } from "../consumer/consumer-fixtures.js";
import { eventIds, expectIdentity, publishRange, readEventIds, recordingLogger, recordOf } from "../kafka-fixtures.js";
import { api, type Fault, failInitProducerId, failProduce, shutProxies, startProxy } from "../proxy.js";

const topic = "session-activities";
vi.setConfig({ testTimeout: 60_000 });

afterEach(async () => {
  await killBrokers();
  await shutProxies();
});

/** A broker, a door to it, and a publisher that has delivered event-0 already. */
async function started(options: Partial<KafkaPublisherOptions> = {}) {
  const [broker, proxy] = await Promise.all([startBroker(), startProxy()]);
  await proxy.open(broker.address);
  const log = recordingLogger();
  const publisher = createKafkaPublisher({ brokers: proxy.address, log, ...options });
  const settled = () =>
    until(
      () => publisher.stats().queued === 0,
      () => publisher.stats(),
    );
  publisher.publish(recordOf(0));
  await settled();
  return { broker, proxy, publisher, log, settled };
}

function largeRecord(number: number, bytes: number): EventRecord {
  return recordOf(number, { encodedSessionContext: "c".repeat(bytes) });
}

describe("bounds", () => {
  test("on events: what comes on top is dropped as queue_full, and the queue is usable again", async () => {
    const { broker, proxy, publisher, log, settled } = await started({ maxQueuedEvents: 100 });
    await proxy.shut();
    const outcomes: string[] = [];
    publishRange(publisher, 1, 250);
    publisher.publish(recordOf(251), (outcome) => void outcomes.push(outcome));
    expect(publisher.stats()).toEqual({ offered: 252, delivered: 1, dropped: { queue_full: 151 }, queued: 100 });
    expect(outcomes).toEqual(["queue_full"]);
    expect(log.lines.filter(({ message }) => message.includes("maxQueuedEvents"))).toHaveLength(1);

    await proxy.open(broker.address);
    await settled();
    publishRange(publisher, 301, 400);
    expect((await publisher.close()).delivered).toBe(201);
    const arrived = await readEventIds(broker.address, topic, 201);
    expect(arrived.toSorted()).toEqual([...eventIds(0, 100), ...eventIds(301, 400)].toSorted());
  });

  test("on bytes, of values and keys: likewise", async () => {
    const { broker, proxy, publisher, settled } = await started({
      maxQueuedBytes: 200_000,
      key: () => "k".repeat(10_000),
    });
    await proxy.shut();
    for (let number = 1; number <= 20; number += 1) publisher.publish(largeRecord(number, 30_000));
    // 40,000 and some for each: four fit in.
    expect(publisher.stats()).toEqual({ offered: 21, delivered: 1, dropped: { queue_full: 16 }, queued: 4 });

    await proxy.open(broker.address);
    await settled();
    for (let number = 21; number <= 40; number += 1) publisher.publish(largeRecord(number, 30_000));
    expect(publisher.stats()).toEqual({ offered: 41, delivered: 5, dropped: { queue_full: 32 }, queued: 4 });
    expect((await publisher.close()).delivered).toBe(9);
  });

  test("hold before the producer has started, too", async () => {
    const proxy = await startProxy();
    const publisher = createKafkaPublisher({
      brokers: proxy.address,
      maxQueuedEvents: 10,
      closeTimeoutMs: 0,
      log: false,
    });
    publishRange(publisher, 1, 25);
    expect(publisher.stats()).toEqual({ offered: 25, delivered: 0, dropped: { queue_full: 15 }, queued: 10 });
    expect((await publisher.close()).dropped).toEqual({ queue_full: 15, close_timeout: 10 });
  });

  test("a message that is too large is dropped as such, whether client or broker refuses it", async () => {
    const { proxy, publisher, settled } = await started();
    publisher.publish(largeRecord(1, 1_500_000));
    expect(publisher.stats().dropped).toEqual({ too_large: 1 });
    proxy.fault = failProduce(topic, 10, 1);
    publisher.publish(recordOf(2));
    await settled();
    publisher.publish(recordOf(3));
    expect(await publisher.close()).toEqual({ offered: 4, delivered: 2, dropped: { too_large: 2 }, queued: 0 });
  });
});

describe("errors of the broker", () => {
  // The embedded broker takes any time of a record, and so does not refuse that of a fast clock: here the answer of one that
  // does is put into its mouth.
  const cases: [DropReason, number, string][] = [
    ["invalid_timestamp", 32, "check this machine's clock"],
    ["compression_refused", 76, "SESSION_TRACKING_KAFKA_COMPRESSION"],
    ["compression_refused", 43, "SESSION_TRACKING_KAFKA_COMPRESSION"],
    ["unauthorized", 29, "grant it WRITE on the topic"],
    ["invalid_record", 87, "check this machine's clock"],
    ["error", 42, "reported an error"],
  ];
  test.each(cases)("%s (code %i) is counted, told once, and later events arrive", async (reason, code, advice) => {
    const { proxy, publisher, log, settled } = await started();
    proxy.fault = failProduce(topic, code);
    const outcomes: string[] = [];
    publishRange(publisher, 1, 4);
    publisher.publish(recordOf(5), (outcome) => void outcomes.push(outcome));
    await settled();
    expect(publisher.stats()).toEqual({ offered: 6, delivered: 1, dropped: { [reason]: 5 }, queued: 0 });
    expect(outcomes).toEqual([reason]);
    expect(log.lines.filter(({ message }) => message.includes(advice))).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toContain("cccc");

    // librdkafka may refuse by itself until it has asked about the topic again.
    proxy.fault = undefined;
    await until(
      () => {
        publisher.publish(recordOf(6));
        return publisher.stats().delivered > 1;
      },
      () => publisher.stats(),
    );
    await publisher.close();
    expectIdentity(publisher.stats());
  });

  test("what was refused, and is taken for delivered since a later batch was not, is counted as unconfirmed", async () => {
    const { proxy, publisher, log, settled } = await started({
      key: () => "one partition",
      properties: { "batch.num.messages": 1 },
    });
    // All three are on their way when the first is refused.
    const all = gate();
    let answers = 0;
    const refuse = failProduce(topic, 6, 1);
    proxy.fault = (frame) => {
      if (frame.api !== api.produce) return undefined;
      void refuse(frame);
      answers += 1;
      if (answers === 3) all.open();
      return all.opened;
    };
    const outcomes: string[] = [];
    for (const number of [1, 2, 3]) publisher.publish(recordOf(number), (outcome) => void outcomes.push(outcome));
    await settled();
    expect(outcomes.sort()).toEqual(["delivered", "delivered", "unconfirmed"]);
    expect(await publisher.close()).toEqual({ offered: 4, delivered: 3, dropped: { unconfirmed: 1 }, queued: 0 });
    expect(log.lines.filter(({ message }) => message.includes("never confirmed"))).toHaveLength(1);
  });

  test("a topic that does not exist is counted as unknown_topic", async () => {
    const [broker, proxy] = await Promise.all([startBroker(), startProxy()]);
    await proxy.open(broker.address);
    // The embedded broker creates topics when asked; error 3 in its answers makes it one that does not.
    proxy.fault = unknownTopic("missing");
    const publisher = createKafkaPublisher({
      brokers: proxy.address,
      topic: "missing",
      log: false,
      properties: { "topic.metadata.propagation.max.ms": 200, "topic.metadata.refresh.interval.ms": 200 },
    });
    publishRange(publisher, 1, 5);
    await until(
      () => publisher.stats().queued === 0,
      () => publisher.stats(),
    );
    expect(publisher.stats().dropped).toEqual({ unknown_topic: 5 });

    // When it exists after all, events arrive.
    proxy.fault = undefined;
    await until(
      () => {
        publisher.publish(recordOf(6));
        expectIdentity(publisher.stats());
        return publisher.stats().delivered > 0;
      },
      () => publisher.stats(),
    );
    await publisher.close();
  });

  test("what is refused after its topic is gone, and would be sent again, is counted as unknown_topic, too", async () => {
    const properties = {
      log_level: 5,
      "topic.metadata.propagation.max.ms": 0,
      "topic.metadata.refresh.interval.ms": 50,
    };
    const { proxy, publisher, log, settled } = await started({ properties });
    const told = (text: string) => log.lines.filter(({ message }) => message.includes(text));
    const answer = gate();
    const [refuse, forget] = [failProduce(topic, 6), unknownTopic(topic)];
    // The broker's answer is on its way until the client has learnt that the topic is gone: what waits goes then, with another
    // error, and what comes back from a broker has nowhere to wait.
    proxy.fault = (frame) => {
      if (frame.api !== api.produce) return undefined;
      void refuse(frame);
      proxy.fault = forget;
      return answer.opened;
    };
    const outcomes: string[] = [];
    publisher.publish(recordOf(1), (outcome) => void outcomes.push(outcome));
    await until(() => told("partition count changed from 4 to 0").length === 1);
    await pause(100);
    answer.open();
    await settled();
    expect(publisher.stats()).toEqual({ offered: 2, delivered: 1, dropped: { unknown_topic: 1 }, queued: 0 });
    expect(outcomes).toEqual(["unknown_topic"]);
    expect(told("the topic does not exist")).toMatchObject([{ details: { error: "ERR__DESTROY" } }]);
    await publisher.close();
  });
});

/** Metadata that does not know the topic. Its error stands before its name: a code of 2 bytes, the name's length, the name. */
function unknownTopic(name: string): Fault {
  return ({ api: key, version, body }) => {
    const at = key === api.metadata ? body.indexOf(name) : -1;
    if (at >= 0) body.writeInt16BE(3, at - (version >= 9 ? 1 : 2) - 2);
  };
}

describe("a producer that failed for good", () => {
  test("is replaced: what was in flight is counted as fatal, and later events arrive", async () => {
    const { broker, proxy, publisher, log, settled } = await started();
    // An error that desynchronizes an idempotent producer.
    proxy.fault = failProduce(topic, 45, 1);
    const outcomes: string[] = [];
    publisher.publish(recordOf(1), (outcome) => void outcomes.push(outcome));
    await settled();
    expect(publisher.stats().dropped).toEqual({ fatal: 1 });
    expect(outcomes).toEqual(["fatal"]);

    publishRange(publisher, 2, 100);
    publisher.publish(recordOf(101), (outcome) => void outcomes.push(outcome));
    await settled();
    expect(publisher.stats()).toEqual({ offered: 102, delivered: 101, dropped: { fatal: 1 }, queued: 0 });
    expect(outcomes).toEqual(["fatal", "delivered"]);
    expect(log.lines.filter(({ message }) => message.includes("replaced by one without idempotence"))).toHaveLength(1);

    await publisher.close();
    expect(new Set(await readEventIds(broker.address, topic, 102))).toEqual(new Set(eventIds(0, 101)));
  });

  test("without the right to idempotence: replaced at once, and close() works", async () => {
    const [broker, proxy] = await Promise.all([startBroker(), startProxy()]);
    await proxy.open(broker.address);
    proxy.fault = failInitProducerId(31);
    const publisher = createKafkaPublisher({ brokers: proxy.address, log: false });
    publishRange(publisher, 1, 50);
    await until(
      () => {
        expectIdentity(publisher.stats());
        return publisher.stats().dropped.fatal === 50;
      },
      () => publisher.stats(),
    );
    publishRange(publisher, 51, 100);
    expect(await publisher.close()).toEqual({ offered: 100, delivered: 50, dropped: { fatal: 50 }, queued: 0 });
    expect((await readEventIds(broker.address, topic, 50)).toSorted()).toEqual(eventIds(51, 100).toSorted());
  });
});

test("the counts add up at any moment of a run full of faults", async () => {
  const { broker, proxy, publisher } = await started({ maxQueuedEvents: 400, deliveryTimeoutMs: 400, log: false });
  const before = publisher.stats();
  const outcomes = new Map<string, number>();
  const told = (outcome: string): void => {
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  };
  let number = 0;
  const burst = (): void => {
    for (let count = 0; count < 60; count += 1) {
      number += 1;
      publisher.publish(number % 97 === 0 ? largeRecord(number, 1_200_000) : recordOf(number), told);
      if (number % 7 === 0) expectIdentity(publisher.stats());
    }
  };
  const answer = (fault: Fault | undefined) => (): void => {
    proxy.fault = fault;
  };
  const dropped = (reason: DropReason): number => publisher.stats().dropped[reason] ?? 0;
  const steps: [() => void | Promise<void>, () => number][] = [
    [() => proxy.shut(), () => Math.min(dropped("queue_full"), dropped("expired"))],
    [() => proxy.open(broker.address), () => publisher.stats().delivered],
    [answer(failProduce(topic, 32)), () => dropped("invalid_timestamp")],
    [answer(undefined), () => publisher.stats().delivered],
    [() => broker.freeze(), () => Math.min(dropped("queue_full"), dropped("expired"))],
    [() => broker.thaw(), () => publisher.stats().delivered],
    [answer(failProduce(topic, 45, 1)), () => dropped("fatal") * 100],
    [() => proxy.shut(), () => dropped("queue_full")],
    [() => proxy.open(broker.address), () => publisher.stats().delivered],
    [answer(failProduce(topic, 32)), () => dropped("invalid_timestamp")],
    [answer(undefined), () => publisher.stats().delivered],
  ];
  // Each fault lasts until it has shown.
  for (const [step, count] of steps) {
    await step();
    const start = count();
    const end = performance.now() + 20_000;
    while (count() < start + 100) {
      if (performance.now() > end)
        throw new Error(`${step.toString()} shows no effect: ${JSON.stringify(publisher.stats())}`);
      burst();
      await pause(Math.random() * 10);
      expectIdentity(publisher.stats());
    }
  }
  const closed = publisher.close();
  burst();
  const stats = await closed;
  expectIdentity(stats);
  expect(stats).toMatchObject({ queued: 0, offered: before.offered + number });
  // Each event was told its outcome once.
  const delivered = stats.delivered - before.delivered;
  const { expired = 0 } = stats.dropped;
  const expected = { ...stats.dropped, expired: expired - (before.dropped.expired ?? 0), delivered };
  expect(Object.fromEntries(outcomes)).toEqual(expected);
  for (const reason of ["queue_full", "too_large", "expired", "invalid_timestamp", "fatal", "closed"] as const) {
    expect(stats.dropped[reason], reason).toBeGreaterThan(0);
  }
});
