// What becomes of reading a topic to its end if retention is at work: nobody may wait for records that are gone.
import { afterAll, beforeAll, expect, test } from "vitest";
import { publishEvents, startTarget, type Target } from "./kafka-target.js";

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

test.each([
  { deleted: "none", until: "0", left: 5 },
  { deleted: "some", until: "2", left: 3 },
  { deleted: "all", until: "5", left: 0 },
])("a partition is read to its end if $deleted of its records were deleted", async ({ until, left }) => {
  const topic = await target.topic(1);
  await publishEvents({ brokers: target.brokers, topic }, [1, 5]);
  await target.admin.client.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: until }] });
  expect(await target.read(topic)).toHaveLength(left);
});
