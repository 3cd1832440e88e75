import { describe, expect, it } from "vitest";
import { brokersOption } from "../../src/kafka/client/client-options.js";
import { createKafkaPublisher, createSessionActivityConsumer, startSessionTracking } from "../../src/kafka/index.js";
import { refusalOf } from "../support/refusal.js";

const start = (options: unknown): unknown => startSessionTracking({ env: false, ...(options as object) });

describe("brokers", () => {
  it.each([
    ["host:9092", "host:9092"],
    [" a:1 , b:65535", "a:1,b:65535"],
    [["a:1", " b:2 "], "a:1,b:2"],
    [["a:1,b:2", "c:3"], "a:1,b:2,c:3"],
    ["[::1]:9092,[fe80::1%eth0]:1", "[::1]:9092,[fe80::1%eth0]:1"],
    ["127.0.0.1:1", "127.0.0.1:1"],
    ["kafka-0.kafka.svc.cluster.local:9092", "kafka-0.kafka.svc.cluster.local:9092"],
  ])("may be %j", (given, read) => {
    expect(brokersOption.read(given)).toBe(read);
  });

  const wrong = [
    "SASL_SSL://broker:9092",
    "PLAINTEXT://broker:9092,b:1",
    "kafka://broker:9092",
    "user:hunter2@broker:9092",
    "user:hun,ter2@broker:9092",
    "SASL_SSL://user:hunter2@a:1,user:hunter2@b:1",
    "user:hun/ter2@hunter2@broker:9092",
    "user:hun ter2@broker:9092",
    "user:hunter2@[::1]:9092",
    ["user:hunter2@broker:9092"],
    ["user:hunter2,", "x@broker:9092"],
    "broker",
    "broker:",
    ":9092",
    "broker:0",
    "broker:65536",
    "broker:99999999",
    "broker:9092/",
    "broker:9092?sasl=hunter2",
    "::1:9092",
    "[::1]",
    "a:1;b:2",
    "a:1,,b:2",
    "a:1,",
    "a b:1",
    "",
    [],
    [""],
    ["a:1", null],
    [["a:1"]],
    [Object.create(null)],
    9092,
    { host: "a", port: 1 },
    new Map(),
    null,
  ];
  it.each(wrong)("are not %o, in code or in the environment, for any client", (brokers) => {
    const doors = [
      () => createKafkaPublisher({ brokers: brokers as string }),
      () =>
        createSessionActivityConsumer({
          brokers: brokers as string,
          groupId: "g",
          handle() {},
          onInvalid() {},
          env: false,
        }),
    ];
    // A service without Kafka says so by an empty list.
    const isNone = brokers === "" || (Array.isArray(brokers) && brokers.length === 0);
    if (!isNone) doors.push(() => start({ kafka: { brokers } }) as never);
    for (const door of doors) {
      const refusal = refusalOf(door);
      expect(refusal.code).toBe("ERR_OPTION_INVALID");
      expect(refusal.option).toMatch(/^(kafka\.)?brokers$/);
      expect(`${refusal} ${JSON.stringify(refusal)}`).not.toMatch(/hun|ter2/);
    }
    if (typeof brokers !== "string" || brokers === "") return;
    const env = { SESSION_TRACKING_KAFKA_BROKERS: brokers };
    const refusal = refusalOf(() => startSessionTracking({ env }));
    expect(refusal).toMatchObject({ code: "ERR_ENVIRONMENT_INVALID", option: "SESSION_TRACKING_KAFKA_BROKERS" });
    expect(`${refusal} ${JSON.stringify(refusal)}`).not.toMatch(/hun|ter2/);
  });

  it("with a scheme or a login are told where these go", () => {
    const refusal = refusalOf(() => createKafkaPublisher({ brokers: "SASL_SSL://user:hunter2@broker:9092" }));
    expect(refusal.message).toBe(
      'brokers must be "host:port", or several joined by commas or in an array, got "…@broker:9092": an address has no scheme, user or password; set security.protocol and sasl.* in properties, or the variables SESSION_TRACKING_KAFKA_TLS and SESSION_TRACKING_KAFKA_SASL_*',
    );
  });
});

describe("what plain JavaScript gets wrong", () => {
  it.each<[object, string, string]>([
    [{ brokers: "h:1" }, "brokers", "kafka.brokers"],
    [{ topic: "t" }, "topic", "kafka.topic"],
    [{ serviceName: "x" }, "serviceName", "service"],
    [{ kafkaBrokers: "h:1" }, "kafkaBrokers", "kafka.brokers"],
    [{ kafkaTopic: "t" }, "kafkaTopic", "kafka.topic"],
    [{ Kafka: { brokers: "h:1" } }, "Kafka", "kafka"],
    [{ settleTimeout: 1 }, "settleTimeout", "settleTimeoutMs"],
    [{ settleTimeoutMS: 1 }, "settleTimeoutMS", "settleTimeoutMs"],
    [{ drainTimeout: 1 }, "drainTimeout", "drainTimeoutMs"],
    [{ signal: new AbortController().signal }, "signal", "shutdownSignal"],
    [{ logger: console }, "logger", "log"],
    [{ enviroment: {} }, "enviroment", "env"],
    [{ compression: "gzip" }, "compression", "kafka.compression"],
    [{ kafka: { verify: {} } }, "kafka.verify", "verify"],
    [{ kafka: { service: "s" } }, "kafka.service", "service"],
    [{ kafka: { broker: "h:1" } }, "kafka.broker", "kafka.brokers"],
    [{ kafka: { log: console } }, "kafka.log", "log"],
    [{ kafka: { maxQueuedEvent: 1 } }, "kafka.maxQueuedEvent", "kafka.maxQueuedEvents"],
  ])("%o: an unknown or misplaced name, with the right one", (options, option, expected) => {
    expect(refusalOf(() => start(options))).toMatchObject({
      message: `${option} is not an option of startSessionTracking: did you mean ${expected}?`,
      code: "ERR_OPTION_UNKNOWN",
      option,
      expected,
    });
  });

  class Sink {
    publish(): void {}
  }
  it.each<[object, string, string]>([
    [{ kafka: "h:1" }, "kafka", 'kafka must be an object with options, got "h:1": write kafka: { brokers: … }'],
    [{ kafka: ["h:1"] }, "kafka", 'got ["h:1"]: write kafka: { brokers: … }'],
    [{ kafka: null }, "kafka", "got null"],
    [{ kafka: () => ({}) }, "kafka", "got a function"],
    [{ kafka: Promise.resolve({}) }, "kafka", "got a promise"],
    [{ kafka: new Map() }, "kafka", "got a Map"],
    [{ kafka: new Date(0) }, "kafka", "got a Date"],
    [
      { shutdownSignal: new AbortController() },
      "shutdownSignal",
      "shutdownSignal must be an AbortSignal, got an AbortController: give its signal",
    ],
    [{ shutdownSignal: "SIGTERM" }, "shutdownSignal", "got a text of 7 characters"],
    [{ log: { warn() {}, error() {} } }, "log", "got an object: it lacks debug and info"],
    [{ log: { debug() {}, info() {}, warn() {} } }, "log", "got an object: it lacks error"],
    [{ log: true }, "log", "got true"],
    [{ log: () => {} }, "log", "got a function"],
    [{ verify: Promise.resolve({ verify() {} }) }, "verify", "got a promise"],
    [{ verify: "-----BEGIN PUBLIC KEY-----" }, "verify", "got a text of 26 characters"],
    [{ verify: new Sink() }, "verify", "got an object"],
    [{ recordContext: Promise.resolve() }, "recordContext", "recordContext must be a function, got a promise"],
    [{ kafka: { key: Promise.resolve("k") } }, "kafka.key", "kafka.key must be a function, got a promise"],
    [{ kafka: { oauthToken: Promise.resolve({}) } }, "kafka.oauthToken", "got a promise"],
    [{ required: "/a.B/C" }, "required", 'got "/a.B/C"'],
    [{ required: [() => {}] }, "required", "got an array"],
    [{ settleTimeoutMs: "1000" }, "settleTimeoutMs", 'got "1000"'],
    [{ settleTimeoutMs: null }, "settleTimeoutMs", "got null"],
    [{ service: ["s"] }, "service", 'got ["s"]'],
    [{ service: null }, "service", "got null"],
    [{ kafka: { maxQueuedEvents: "10" } }, "kafka.maxQueuedEvents", 'got "10"'],
    [{ kafka: { cloudEvents: "true" } }, "kafka.cloudEvents", 'got "true"'],
    [{ kafka: { properties: ["linger.ms=5"] } }, "kafka.properties", "got an array"],
    [
      { kafka: { properties: Object.assign(Object.create(null), { dr_cb: true }) } },
      "kafka.properties",
      "leave out dr_cb",
    ],
  ])("%o: a value of another type", (options, option, message) => {
    const refusal = refusalOf(() => start(options));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ code: "ERR_OPTION_INVALID", option });
  });

  it.each(["__proto__", "constructor"])("the name %s", (name) => {
    const given: object = JSON.parse(`{ "${name}": { "service": "x" } }`);
    const options = Object.defineProperties({}, Object.getOwnPropertyDescriptors(given));
    expect(refusalOf(() => startSessionTracking(options))).toMatchObject({ code: "ERR_OPTION_UNKNOWN", option: name });
    const inner = { kafka: JSON.parse(`{ "${name}": { "brokers": "h:1" } }`) };
    expect(refusalOf(() => start(inner))).toMatchObject({ code: "ERR_OPTION_UNKNOWN", option: `kafka.${name}` });
  });
});
