// Records that name their schema: what is written, and that readers take both forms.
import { fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionActivityEventSchema } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { frameOf } from "../../../src/kafka/client/schema-frame.js";
import { createKafkaPublisher, type EmbeddedKafka, startEmbeddedKafka } from "../../../src/kafka/index.js";
import { refusalOf } from "../../support/refusal.js";
import { until } from "../../support/until.js";
import { startConsumer } from "../consumer/consumer-fixtures.js";
import { readRecords, recordOf } from "../kafka-fixtures.js";

const guid = "89791762-2336-4186-9674-299b90a802e2";
let kafka: EmbeddedKafka;
beforeAll(async () => {
  kafka = await startEmbeddedKafka({ topics: ["header-0", "prefix-0", "header-1", "prefix-1"] });
});
afterAll(() => kafka.close());

describe("a publisher with a schema's id", { timeout: 60_000 }, () => {
  test.each([
    ["header", 42, 0],
    ["prefix", 42, 0],
    ["header", guid, 1],
    ["prefix", guid, 1],
  ] as const)(
    "in the %s, %s, writes the frame, and a consumer reads the event",
    async (schemaIdIn, schemaId, index) => {
      const topic = `${schemaIdIn}-${index}`;
      const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic, schemaId, schemaIdIn });
      publisher.publish(recordOf(1));
      await publisher.close();
      const [written] = await readRecords(kafka.brokers, topic, 1);
      const frame = frameOf(schemaId);
      const value = Buffer.from(written!.value!);
      const header = (written!.headers ?? []).find((one) => "__value_schema_id" in one)?.["__value_schema_id"];
      if (schemaIdIn === "header") {
        expect(Buffer.from(header!).equals(frame)).toBe(true);
        expect(fromBinary(SessionActivityEventSchema, value)).toMatchObject({ eventId: recordOf(1).eventId });
      } else {
        expect(header).toBeUndefined();
        expect(value.subarray(0, frame.length).equals(frame)).toBe(true);
      }
      const events: MessageShape<typeof SessionActivityEventSchema>[] = [];
      startConsumer({ brokers: kafka.brokers, topic, handle: (event) => void events.push(event) });
      await until(() => events.length === 1);
      expect(events[0]?.eventId).toBe(recordOf(1).eventId);
    },
  );

  test.each([0, -1, 1.5, "42", "not-a-guid", Number.NaN])("refuses the id %s", (schemaId) => {
    const refusal = refusalOf(() => createKafkaPublisher({ brokers: kafka.brokers, schemaId }));
    expect(refusal).toMatchObject({ code: "ERR_OPTION_INVALID", option: "schemaId" });
  });
});
