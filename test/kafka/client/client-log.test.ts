import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import { bridgeClientLog } from "../../../src/kafka/client/client-log.js";
import { loadKafkaClient } from "../../../src/kafka/client/kafka-client.js";
import { recordingLogger } from "../kafka-fixtures.js";

// The severities are those of syslog; what librdkafka really says is seen in the outage tests.
test("librdkafka's lines go to the level of their severity, each kind of trouble once a minute", () => {
  const log = recordingLogger();
  const client = loadKafkaClient().createProducer({ "bootstrap.servers": "127.0.0.1:1" });
  bridgeClientLog(client, createTroubleLog(log));
  if (!(client instanceof EventEmitter)) throw new Error("the client emits no events");
  for (const [severity, fac] of [
    [0, "FATAL"],
    [3, "FAIL"],
    [3, "FAIL"],
    [4, "CLUSTERID"],
    [4, "CLUSTERID"],
    [5, "NOTICE"],
    [6, "INFO"],
    [7, "DEBUG"],
    [7, "DEBUG"],
  ] as const) {
    client.emit("event.log", { severity, fac, message: `about ${fac}` });
  }
  client.emit("event.error", { code: -1, message: "all broker connections are down" });
  client.emit("event.error", { code: -1, message: "all broker connections are down" });
  expect(log.lines.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    "error: about FATAL",
    "error: about FAIL",
    "warn: about CLUSTERID",
    "info: about NOTICE",
    "info: about INFO",
    "info: about DEBUG",
    "info: about DEBUG",
    "warn: No broker can be reached: is Kafka running, and do brokers and security.protocol match it?",
  ]);
});

test("the kinds of trouble have an end, whatever librdkafka calls its facilities and errors", () => {
  const log = recordingLogger();
  const client = loadKafkaClient().createProducer({ "bootstrap.servers": "127.0.0.1:1" });
  bridgeClientLog(client, createTroubleLog(log));
  if (!(client instanceof EventEmitter)) throw new Error("the client emits no events");
  for (let i = 0; i < 100; i += 1) {
    client.emit("event.log", { severity: 4, fac: `FAC${i}`, message: `about ${i}` });
    client.emit("event.error", { code: -1, message: `broker ${i} said no` });
  }
  expect(log.lines.map(({ details }) => details)).toEqual([
    { kind: "kafka_client_other", facility: "FAC0" },
    { kind: "kafka_client_error", error: "broker 0 said no" },
  ]);
});

// The real broker's lines are read in test/kafka-real/security.test.ts.
test("known troubles are told by what to do, each a kind of its own, and a refused login is told to whoever acts on it", () => {
  const log = recordingLogger();
  const client = loadKafkaClient().createProducer({ "bootstrap.servers": "127.0.0.1:1" });
  let refused = 0;
  bridgeClientLog(client, createTroubleLog(log), {
    loginRefused() {
      refused += 1;
    },
  });
  if (!(client instanceof EventEmitter)) throw new Error("the client emits no events");
  const say = (fac: string, message: string) => client.emit("event.log", { severity: 3, fac, message });
  say("FAIL", "sasl_ssl://a:1/bootstrap: Connect to ipv4#10.0.0.1:1 failed: Connection refused");
  say("FAIL", "sasl_ssl://a:1/bootstrap: SSL handshake failed: error: certificate verify failed: broker certificate");
  say("FAIL", "sasl_ssl://a:1/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer");
  say("FAIL", "sasl_ssl://a:1/bootstrap: SASL authentication error: invalid credentials");
  say("FAIL", "sasl_ssl://b:1/bootstrap: SASL authentication error: invalid credentials");
  say("TERMINATE", "Producer terminating with 4 messages still in queue: use flush()");
  for (const message of ["ssl error", "authentication failure", "something else"]) {
    client.emit("event.error", { code: -1, message });
  }
  expect(log.lines.map(({ message }) => message.split(":", 1)[0])).toEqual([
    "sasl_ssl",
    "Kafka's certificate is not trusted",
    "No TLS connection to Kafka",
    "Kafka refused the login",
    "Kafka client error",
  ]);
  expect(refused).toBe(2);
});
