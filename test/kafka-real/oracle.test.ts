import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { groupBy } from "../support/group-by.js";
import { publishEvents, startTarget, type Target } from "./kafka-target.js";
import { startLoad } from "./load.js";
import { compileProcesses, type Service, startService } from "./rig.js";

let target: Target;
beforeAll(async () => {
  compileProcesses();
  target = await startTarget();
});
afterAll(() => target?.close());

/** A service that has published some sixty events, all of which arrived. */
async function serviceOn(topic: string, asksOutcomes: boolean): Promise<Service> {
  const service = await startService({ kafka: { brokers: target.brokers, topic }, asksOutcomes });
  const load = startLoad(service.port, { tracked: 200, control: 0 });
  let offered = 0;
  while (offered < 60) ({ offered } = (await service.stats()).stats);
  await load.stop();
  await service.settled();
  return service;
}

/** Writes records that no publisher of ours wrote. */
async function write(topic: string, values: readonly (Uint8Array | null)[]): Promise<void> {
  const producer = new Kafka({ brokers: target.brokers.split(","), logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({
    topic,
    messages: values.map((value) => ({ value: value === null ? null : Buffer.from(value) })),
  });
  await producer.disconnect();
}

test.each([true, false])("the oracle tells what is wrong with a topic; outcomes known: %s", async (asksOutcomes) => {
  const topic = await target.topic(3);
  const service = await serviceOn(topic, asksOutcomes);
  const { offered } = (await service.stats()).stats;
  const verdict = (deletedUntil?: number) => service.reconcile(target.brokers, topic, deletedUntil);
  const clean = {
    captured: offered,
    records: offered,
    arrived: offered,
    duplicates: 0,
    missing: 0,
    deleted: 0,
    missingButDelivered: 0,
    missingWithoutWord: 0,
    examples: [],
    arrivedButDropped: 0,
    strange: 0,
    holes: 0,
  };
  expect(await verdict()).toEqual(clean);

  // How the events are spread is the client's business: the partition that holds most of them has more than are deleted.
  const partitions = [...groupBy(await target.read(topic), (record) => record.partition)];
  const [[partition, records] = [0, []]] = partitions.toSorted(([, one], [, other]) => other.length - one.length);
  expect(records.length).toBeGreaterThan(3);
  const own = records.at(-1)?.value ?? new Uint8Array();
  const forged = { ...fromBinary(SessionActivityEventSchema, own), status: "PERMISSION_DENIED" };
  await write(topic, [own, toBinary(SessionActivityEventSchema, forged), Buffer.from("no event"), null]);
  await publishEvents({ brokers: target.brokers, topic }, [1, 1]);
  const spoilt = { ...clean, records: offered + 5, duplicates: 1, strange: 4 };
  expect(await verdict()).toEqual(spoilt);

  await target.admin.client.deleteTopicRecords({ topic, partitions: [{ partition, offset: "3" }] });
  const after = await verdict();
  expect(after).toEqual({
    ...spoilt,
    records: offered + 2,
    arrived: offered - 3,
    missing: 3,
    missingButDelivered: asksOutcomes ? 3 : 0,
    missingWithoutWord: asksOutcomes ? 0 : 3,
    examples: [expect.any(String), expect.any(String), expect.any(String)],
    holes: after.holes,
  });
  if (asksOutcomes) {
    expect(await verdict(Date.now())).toEqual({ ...after, deleted: 3, missingButDelivered: 0, examples: [] });
  }
  service.kill();
});
