// What a server would read, read by Prometheus' own parser.
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type OpenSignalDatabase, openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { pointsBy, single } from "../../src/telemetry/instrument.js";
import { prometheusText } from "../../src/telemetry/prometheus-text.js";
import { sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { until } from "../support/until.js";
import { promtool } from "./promtool.js";

let database: OpenSignalDatabase;
beforeAll(async () => {
  database = openSignalDatabase();
  await database.query("select 1");
}, 60_000);
afterAll(() => database.close());

/** What Prometheus' parser and linter have to say. Empty if there is nothing. */
const complaints = (input: string): string => {
  const { status, output } = promtool(["check", "metrics"], { input });
  return status === 0 ? output : output || "refused";
};

it("the parser takes the /metrics of a worker, and its linter finds nothing", async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const worker = startWorker({
    database,
    health: { port: 0, host: "127.0.0.1" },
    kafka: { brokers: kafka.brokers, groupId: "history" },
  });
  await writeSessionEvents(kafka.brokers, "session-activities", sessionEvents(10));
  await until(() => worker.stats().history.recorded === 10, worker.stats);
  const text = await (await fetch(`http://127.0.0.1:${await worker.healthPort}/metrics`)).text();
  expect(text).toContain("session_activity_history_recorded_total 10\n");
  expect(complaints(text)).toBe("");
});

it("the parser takes all texts and numbers, and would find what is wrong", () => {
  const odd = 'a"b\\c\nd\u202E{},= ';
  const instrument = {
    ...single<number>("gauge", { name: "odd.value", unit: "s", description: odd }, () => 0),
    read: (value: number) => pointsBy("label", { [odd]: value }),
  };
  for (const value of [0, -1, 0.1, 1e21, 1e-7, 2 ** 53])
    expect(complaints(prometheusText([instrument], value))).toBe("");
  expect(complaints('a{b="c} 1\n')).toContain("error while linting");
});
