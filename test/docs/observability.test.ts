// examples/observability: each query names series that a real SDK exposes, and labels that they have; and the programs run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { consumerInstruments } from "../../src/telemetry/consumer-instruments.js";
import { instrumentHistoryWorker, instrumentSessionTracking } from "../../src/telemetry/index.js";
import type { InstrumentDescription } from "../../src/telemetry/instrument.js";
import { deliveryDuration, trackingInstruments } from "../../src/telemetry/tracking-instruments.js";
import { workerInstruments } from "../../src/telemetry/worker-instruments.js";
import { sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { routesOf, serve, start } from "../service/wired-service.js";
import { accountClient, marks } from "../support/account-server.js";
import { freePorts } from "../support/free-ports.js";
import { until } from "../support/until.js";
import { readText, startMetrics } from "../telemetry/metrics-fixtures.js";
import { changePassword, run } from "./calls.js";
import { linesOutsideCode, read } from "./pages.js";

/** What a query asks for: the labels of each series that it names. */
interface Asked {
  readonly query: string;
  readonly metrics: readonly string[];
  readonly labels: readonly string[];
}

/** Reads a query with the grammar of Prometheus' own editor. Throws for what is not a query. */
function askedBy(query: string): Asked {
  const metrics: string[] = [];
  const labels: string[] = [];
  // What Grafana puts in.
  const plain = query.replaceAll("$__rate_interval", "5m").replaceAll("$job", "some");
  parser.parse(plain).iterate({
    enter({ type, name, from, to }) {
      if (type.isError) throw new Error(`not a query, at ${from}: ${query}`);
      if (name === "Identifier") metrics.push(plain.slice(from, to));
      if (name === "LabelName") labels.push(plain.slice(from, to));
    },
  });
  return { query, metrics, labels };
}

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const dashboard = JSON.parse(read("examples/observability/dashboard.json")) as { readonly panels: readonly Panel[] };
const alerts = read("examples/observability/alerts.yaml");
const queries = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...[...alerts.matchAll(/^ +expr: (.+)$/gm)].map(([, expr]) => expr!),
];

/** The labels of each metric, by its name. */
type Exposed = ReadonlyMap<string, ReadonlySet<string>>;

function labelsIn(text: string): Exposed {
  const exposed = new Map<string, Set<string>>();
  for (const [series] of readText(text)) {
    const [name = "", labels = ""] = series.split(/[{}]/);
    const known = exposed.get(name) ?? new Set(["job", "instance"]);
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!);
    exposed.set(name, known);
  }
  return exposed;
}

/** What a server reads from a service with a spool, and from a worker. */
async function readRealProcesses(): Promise<Exposed> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const directory = mkdtempSync(join(tmpdir(), "observability-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const database = openSignalDatabase();
  onTestFinished(() => database.close());
  const metrics = startMetrics();
  const { tracking } = start({ kafka: { brokers: kafka.brokers }, spool: { directory }, onDrop: undefined });
  onTestFinished(async () => void (await tracking.close()));
  instrumentSessionTracking(tracking, { meter: metrics.meter });
  const client = accountClient(await serve(tracking, { routes: routesOf({ changePassword: () => ({}) }) }));
  await client.changePassword({}, { headers: marks() });
  await until(() => tracking.stats().publisher.delivered === 1, tracking.stats);
  const worker = startWorker({ database, kafka: { brokers: kafka.brokers, groupId: "history" } });
  instrumentHistoryWorker(worker, { meter: metrics.meter });
  await writeSessionEvents(kafka.brokers, "session-activities", sessionEvents(5));
  await until(() => worker.stats().history.recorded === 5, worker.stats, 60_000);
  return labelsIn(await metrics.text());
}

let reading: Promise<Exposed> | undefined;
/** Reads once, in the first test that asks. */
const exposedNow = (): Promise<Exposed> => (reading ??= readRealProcesses());

describe("the queries", () => {
  it("are found", { timeout: 90_000 }, async () => {
    const exposed = await exposedNow();
    expect(queries.length).toBeGreaterThan(50);
    expect([...alerts.matchAll(/- alert:/g)]).toHaveLength([...alerts.matchAll(/^ +expr:/gm)].length);
    expect(exposed.size).toBeGreaterThan(50);
  });

  it.each(queries)("%s", { timeout: 90_000 }, async (query) => {
    const exposed = await exposedNow();
    const { metrics, labels } = askedBy(query);
    expect(metrics.length).toBeGreaterThan(0);
    expect(metrics.filter((name) => !exposed.has(name))).toEqual([]);
    const known = new Set(metrics.flatMap((name) => [...(exposed.get(name) ?? [])]));
    expect(labels.filter((label) => !known.has(label))).toEqual([]);
  });

  it("a wrong one would be found", () => {
    expect(() => askedBy("sum by (a (rate(b[5m]))")).toThrow("not a query");
    expect(askedBy('rate(some_total{job="a"}[5m])')).toMatchObject({ metrics: ["some_total"], labels: ["job"] });
  });

  it("show every instrument, on the dashboard or in an alert", () => {
    const asked = new Set(queries.flatMap((query) => askedBy(query).metrics));
    const shown = (name: string): boolean =>
      [...asked].some((metric) => metric.replace(/_(total|bucket)$/, "") === name.replaceAll(".", "_"));
    const left = [...trackingInstruments, deliveryDuration, ...workerInstruments].map(({ name }) => name);
    // What only tells how things are, and what a graph would not show.
    const quiet = [
      "session_activity.call.verified",
      "session_activity.context.dropped",
      "session_activity.context.unrecorded",
      "session_activity.spool.stored",
      "session_activity.spool.recovered",
      "session_activity.spool.damaged",
      "session_activity.consumer.reset",
      "session_activity.consumer.retried",
      "session_activity.consumer.queued",
      "session_activity.consumer.joined",
      "session_activity.history.forgotten",
    ];
    expect(left.filter((name) => !shown(name))).toEqual(quiet);
  });
});

describe("the dashboard", () => {
  const panels = dashboard.panels.filter(({ type }) => type !== "row");

  it("has panels of their own names, with queries", () => {
    expect(panels.length).toBeGreaterThan(20);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    expect(panels.filter(({ targets = [] }) => targets.length === 0)).toEqual([]);
  });

  it("its legends name labels that their query keeps", () => {
    for (const { targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        expect(askedBy(expr).labels, expr).toEqual(expect.arrayContaining(named));
      }
    }
  });
});

describe("docs/telemetry.md", () => {
  const kinds = { counter: "counter", updown_counter: "up-down counter", gauge: "gauge" } as const;
  const rowOf = ({ name, unit, description, attributes }: InstrumentDescription, kind: string): string => {
    const cells = [`\`${name}\``, kind, `\`${unit}\``, attributes.map((one) => `\`${one}\``).join(", "), description];
    return `| ${cells.join(" | ")} |`;
  };
  const tableOf = (...rows: string[]): string => {
    const head = ["| Instrument | Kind | Unit | Attributes | Meaning |", "| --- | --- | --- | --- | --- |"];
    return [...head, ...rows].join("\n");
  };

  it("has a row for each instrument, with what the code says of it", () => {
    const page = linesOutsideCode("docs/telemetry.md").join("\n");
    const own = workerInstruments.filter(({ name }) => !consumerInstruments.some((other) => other.name === name));
    for (const instruments of [trackingInstruments, consumerInstruments, own]) {
      const rows = instruments.map((one: InstrumentDescription & { kind: keyof typeof kinds }) =>
        rowOf(one, kinds[one.kind]),
      );
      const all = instruments === trackingInstruments ? [...rows, rowOf(deliveryDuration, "histogram")] : rows;
      expect(page).toContain(tableOf(...all));
    }
  });
});

describe("by OpenTelemetry's conventions", () => {
  const all: readonly InstrumentDescription[] = [...trackingInstruments, deliveryDuration, ...workerInstruments];

  it.each(all.map((one) => [one.name, one] as const))("%s", (name, { unit, attributes, description }) => {
    expect(name).toMatch(/^session_activity(\.[a-z]+(_[a-z]+)*)+$/);
    expect(name).not.toMatch(/\.(total|count)$/);
    expect(unit).toMatch(/^(s|By|\{[a-z]+\})$/);
    for (const attribute of attributes) expect(attribute).toMatch(/^session_activity(\.[a-z]+(_[a-z]+)*)+$/);
    expect(description).toMatch(/^[A-Z1]\w*.*[^.]$/);
  });

  it("no name stands for two instruments", () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  });
});

describe("the programs", () => {
  it("a service serves its metrics", { timeout: 60_000 }, async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const [port = 0, metricsPort = 0] = await freePorts(2);
    const service = run("observability/service.js", {
      PORT: String(port),
      METRICS_PORT: String(metricsPort),
      SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers,
      SESSION_TRACKING_SERVICE: "account-service",
    });
    await expect.poll(() => changePassword(port, "2", marks()), { timeout: 20_000 }).toBe("PermissionDenied");
    const scrape = async (): Promise<string> => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    const delivered = "session_activity_event_delivered_total";
    await expect.poll(async () => readText(await scrape()).get(delivered) ?? 0, { timeout: 20_000 }).toBeGreaterThan(0);
    expect(await service.stop()).toBe(0);
  });

  it("a reader instruments its consumer", async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", kafka.brokers);
    onTestFinished(() => void vi.unstubAllEnvs());
    const log = vi.spyOn(console, "error");
    const { consumer } = await import("../../examples/observability/reader.js");
    onTestFinished(() => consumer.close());
    await writeSessionEvents(kafka.brokers, "session-activities", sessionEvents(3));
    await until(() => consumer.stats().handled === 3, consumer.stats);
    expect(log).not.toHaveBeenCalled();
  });
});
