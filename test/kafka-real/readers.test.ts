import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { Kafka, logLevel } from "kafkajs";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord } from "../../src/index.js";
import { createKafkaPublisher, type KafkaPublisherOptions } from "../../src/kafka/index.js";
import { root } from "../support/root.js";
import { until } from "../support/until.js";
import { startTarget, type Target } from "./kafka-target.js";
import { runKafkaTool } from "./kafka-tool.js";

let target: Target;
beforeAll(async () => {
  target = await startTarget();
});
afterAll(() => target?.close());

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** An event with every field that one can have, and bytes of every value somewhere in its context. */
function fullEvent(number: number): SessionActivityEvent {
  return create(SessionActivityEventSchema, {
    eventId: `0199c8a4-5d2e-7c3b-9a41-${String(number).padStart(12, "0")}`,
    encodedSessionContext: `c2Vzc2lvbg ${String.fromCharCode(number)}\n\t"\\ é 漢 🔑`,
    service: "account-service",
    action: "change_password",
    status: "DEADLINE_EXCEEDED",
    duration: { seconds: 2n, nanos: 5_000_000 },
    startedAt: { seconds: 1_760_000_000n, nanos: 123_456_000 },
    completedAt: { seconds: 1_760_000_002n, nanos: 128_456_000 },
    procedure: "/acme.account.v1.AccountService/ChangePassword",
    handlerStatus: "OK",
    instanceId: "b0777af0-d711-4bf8-baa4-5b4a825546f7",
    sequence: BigInt(number) + 2n ** 53n,
    traceparent,
    interrupted: true,
    contextVerified: true,
    contextProblem: "signature_expired",
    markSignature: "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
    attributes: { target: "user/42", ключ: "значение" },
  });
}

const events = Array.from({ length: 200 }, (_, index) => fullEvent(index + 1));
const inBase64 = (values: readonly Uint8Array[]) => values.map((value) => Buffer.from(value).toString("base64")).sort();
const expected = inBase64(events.map((event) => toBinary(SessionActivityEventSchema, event)));

async function publishAll(more: Partial<KafkaPublisherOptions> = {}): Promise<string> {
  const topic = await target.topic(3);
  const publisher = createKafkaPublisher({
    brokers: target.brokers,
    topic,
    key: ({ sequence }) => `k${sequence}`,
    ...more,
  });
  for (const event of events) publisher.publish(createEventRecord(event));
  expect((await publisher.close()).delivered).toBe(events.length);
  return topic;
}

/** Runs a program that the machine must have, and answers with its output, byte for byte. */
function output(command: string, args: readonly string[], input?: Uint8Array): Buffer {
  const { error, status, stdout, stderr } = spawnSync(command, args, { input, maxBuffer: 1 << 26, cwd: root });
  if (error !== undefined) {
    throw new Error(
      `"${command}" is missing. This test reads what we publish with programs that others wrote: install kcat and protoc (on Debian: apt-get install kcat protobuf-compiler)`,
    );
  }
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

describe("what we publish is read, byte for byte, by", () => {
  test("kcat, with keys and headers", async () => {
    const topic = await publishAll();
    const read = (format: string) =>
      output("kcat", ["-b", target.brokers, "-t", topic, "-C", "-o", "beginning", "-e", "-q", "-f", format]);
    // Each value comes after its length.
    const values: Buffer[] = [];
    for (let rest = read("%R%s"); rest.length > 0; ) {
      const end = 4 + rest.readInt32BE(0);
      values.push(rest.subarray(4, end));
      rest = rest.subarray(end);
    }
    expect(inBase64(values)).toEqual(expected);
    const lines = String(read("%k %h\n")).trimEnd().split("\n");
    const headers = `content-type=application/protobuf,traceparent=${traceparent}`;
    expect(lines.sort()).toEqual(events.map(({ sequence }) => `k${sequence} ${headers}`).sort());
  });

  test("Kafka's console consumer, with keys and headers", async () => {
    const topic = await publishAll();
    const [field, record] = ["<next field>", "<next record>"];
    const formatting = ["print.headers=true", "print.key=true", `key.separator=${field}`, `line.separator=${record}`];
    const read = await runKafkaTool("org.apache.kafka.tools.consumer.ConsoleConsumer", [
      ...["--bootstrap-server", target.brokers, "--topic", topic, "--from-beginning"],
      ...["--max-messages", `${events.length}`, "--timeout-ms", "30000"],
      ...formatting.flatMap((property) => ["--formatter-property", property]),
    ]);
    // As text of one character a byte, since the values are no text.
    const records = read
      .toString("latin1")
      .split(record)
      .slice(0, -1)
      .map((line) => line.split(field));
    expect(inBase64(records.map(([, , value]) => Buffer.from(value!, "latin1")))).toEqual(expected);
    const headers = `content-type:application/protobuf,traceparent:${traceparent}`;
    expect(records.map(([first, key]) => `${key} ${first}`).sort()).toEqual(
      events.map(({ sequence }) => `k${sequence} ${headers}`).sort(),
    );
  });

  test("kafkajs, where the compression is one that it knows", async () => {
    const topic = await publishAll({ properties: { "compression.type": "gzip" } });
    const kafka = new Kafka({ brokers: target.brokers.split(","), logLevel: logLevel.NOTHING });
    const consumer = kafka.consumer({ groupId: `kafkajs reads ${topic}` });
    onTestFinished(() => consumer.disconnect());
    const values: Buffer[] = [];
    const headers = new Set<string>();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      async eachMessage({ message }) {
        values.push(message.value!);
        headers.add(
          Object.entries(message.headers ?? {})
            .map(([name, value]) => `${name}=${String(value)}`)
            .join(),
        );
      },
    });
    await until(
      () => values.length >= events.length,
      () => values.length,
    );
    expect(inBase64(values)).toEqual(expected);
    expect([...headers]).toEqual([`content-type=application/protobuf,traceparent=${traceparent}`]);
  });
});

describe("a value turns into the right fields", () => {
  const message = SessionActivityEventSchema.typeName;

  async function published(): Promise<Uint8Array> {
    const topic = await target.topic(1);
    const publisher = createKafkaPublisher({ brokers: target.brokers, topic });
    publisher.publish(createEventRecord(fullEvent(65)));
    expect((await publisher.close()).delivered).toBe(1);
    const [record] = await target.read(topic);
    return record!.value!;
  }

  const buf = join(root, "node_modules", ".bin", "buf");

  test("in buf convert", async () => {
    const args = ["convert", "proto", "--type", message, "--from", "-#format=binpb", "--to", "-#format=json"];
    expect(JSON.parse(String(output(buf, args, await published())))).toEqual({
      eventId: "0199c8a4-5d2e-7c3b-9a41-000000000065",
      encodedSessionContext: 'c2Vzc2lvbg A\n\t"\\ é 漢 🔑',
      service: "account-service",
      action: "change_password",
      status: "DEADLINE_EXCEEDED",
      duration: "2.005s",
      startedAt: "2025-10-09T08:53:20.123456Z",
      completedAt: "2025-10-09T08:53:22.128456Z",
      procedure: "/acme.account.v1.AccountService/ChangePassword",
      handlerStatus: "OK",
      instanceId: "b0777af0-d711-4bf8-baa4-5b4a825546f7",
      sequence: "9007199254741057",
      traceparent,
      interrupted: true,
      contextVerified: true,
      contextProblem: "signature_expired",
      markSignature: "eyJhbGciOiJFUzI1NiJ9.e30.c2ln",
      attributes: { target: "user/42", ключ: "значение" },
    });
  });

  test("in protoc --decode", async () => {
    // Debian has Google's own messages in another package: buf brings them.
    const folder = mkdtempSync(join(tmpdir(), "schema-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const schema = join(folder, "schema.binpb");
    output(buf, ["build", "proto", "--as-file-descriptor-set", "-o", schema]);
    const args = [`--descriptor_set_in=${schema}`, `--decode=${message}`, "sessionactivity/v1/session_activity.proto"];
    const text = String(output("protoc", args, await published()));
    expect(text.trimEnd().split("\n")).toEqual([
      'event_id: "0199c8a4-5d2e-7c3b-9a41-000000000065"',
      String.raw`encoded_session_context: "c2Vzc2lvbg A\n\t\"\\ \303\251 \346\274\242 \360\237\224\221"`,
      'service: "account-service"',
      'action: "change_password"',
      'status: "DEADLINE_EXCEEDED"',
      "duration {",
      "  seconds: 2",
      "  nanos: 5000000",
      "}",
      "started_at {",
      "  seconds: 1760000000",
      "  nanos: 123456000",
      "}",
      "completed_at {",
      "  seconds: 1760000002",
      "  nanos: 128456000",
      "}",
      'procedure: "/acme.account.v1.AccountService/ChangePassword"',
      'handler_status: "OK"',
      'instance_id: "b0777af0-d711-4bf8-baa4-5b4a825546f7"',
      "sequence: 9007199254741057",
      `traceparent: "${traceparent}"`,
      "interrupted: true",
      "context_verified: true",
      'context_problem: "signature_expired"',
      'mark_signature: "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"',
      "attributes {",
      '  key: "target"',
      '  value: "user/42"',
      "}",
      "attributes {",
      String.raw`  key: "\320\272\320\273\321\216\321\207"`,
      String.raw`  value: "\320\267\320\275\320\260\321\207\320\265\320\275\320\270\320\265"`,
      "}",
    ]);
  });
});
