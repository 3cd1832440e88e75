import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { loadKafkaClient } from "../../src/kafka/client.js";
import { bridgeClientLog } from "../../src/kafka/client-log.js";
import { createTroubleLog } from "../../src/log.js";
import { recordingLogger } from "./fixtures.js";

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
    "warn: Kafka client error",
  ]);
});
