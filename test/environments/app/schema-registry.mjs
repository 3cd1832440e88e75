// Records of this package, read by the registry's own reader, and records of its writer, read by this package. The registry is
// the one in memory that comes with its client.
import { create, createMutableRegistry } from "@bufbuild/protobuf";
import registry from "@confluentinc/schemaregistry";
import { createEventRecord, SessionActivityEventSchema } from "connect-session-activity";
import {
  createKafkaPublisher,
  createSessionActivityConsumer,
  startEmbeddedKafka,
} from "connect-session-activity/kafka";

const { HeaderSchemaIdSerializer, ProtobufDeserializer, ProtobufSerializer, SchemaRegistryClient, SerdeType } =
  registry;

const kafka = await startEmbeddedKafka({ topics: ["header", "prefix", "guid"] });
const client = SchemaRegistryClient.newClient({ baseURLs: ["mock://"] });
const event = create(SessionActivityEventSchema, { eventId: "event-1", status: "OK" });
/** What the registry knows the schema by. */
const topic = "session-activities";

function serializer(more) {
  const types = createMutableRegistry(SessionActivityEventSchema);
  return new ProtobufSerializer(client, SerdeType.VALUE, { autoRegisterSchemas: true, registry: types, ...more });
}

/** Publishes to a topic with these options, and answers with what this package's consumer reads there. */
async function published(name, options) {
  const publisher = createKafkaPublisher({ brokers: kafka.brokers, topic: name, ...options });
  publisher.publish(createEventRecord(event));
  await publisher.close();
  const done = Promise.withResolvers();
  const consumer = createSessionActivityConsumer({
    brokers: kafka.brokers,
    groupId: `readers-${Math.random()}`,
    topic: name,
    properties: { "group.protocol": "consumer" },
    onInvalid: (_, reason) => done.reject(new Error(reason)),
    handle: (read, record) => done.resolve({ read, record }),
  });
  const item = await done.promise;
  await consumer.close();
  return item;
}

// What the registry's writer makes: both forms, as bytes.
const prefixed = await serializer().serialize(topic, event);
const headers = {};
await serializer({ schemaIdSerializer: HeaderSchemaIdSerializer }).serialize(topic, event, headers);
const id = prefixed.readInt32BE(1);
const guid = headers.__value_schema_id
  .subarray(1, 17)
  .toString("hex")
  .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

const reader = new ProtobufDeserializer(client, SerdeType.VALUE, {});
const results = {};
for (const schemaIdIn of ["header", "prefix"]) {
  const { read, record } = await published(schemaIdIn, { schemaId: id, schemaIdIn });
  const given = Object.fromEntries(record.headers.map(({ key, value }) => [key, value]));
  const decoded = await reader.deserialize(topic, Buffer.from(record.value), given);
  results[schemaIdIn] = { ours: read.eventId, theirs: decoded.eventId };
  if (schemaIdIn === "prefix")
    results.isSamePrefix = Buffer.from(record.value).subarray(0, 6).equals(prefixed.subarray(0, 6));
}
const { record } = await published("guid", { schemaId: guid });
const own = record.headers.findLast(({ key }) => key === "__value_schema_id").value;
results.isSameHeader = Buffer.from(own).equals(headers.__value_schema_id);
process.stdout.write(`${JSON.stringify(results)}\n`);
await kafka.close();
