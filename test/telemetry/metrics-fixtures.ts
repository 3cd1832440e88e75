import type { Meter } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider, type MetricData } from "@opentelemetry/sdk-metrics";
import { onTestFinished } from "vitest";

/** A real SDK, and what it collects. */
export interface Metrics {
  readonly meter: Meter;
  /** Collects, and gives the instruments by name. */
  collect(): Promise<Map<string, MetricData>>;
  /** Collects, and gives the series by name and attributes: `name{attribute=value}`. Histograms give their count. */
  series(): Promise<Record<string, number>>;
  /** Collects, and gives what a Prometheus server would read. */
  text(): Promise<string>;
}

/** Starts a real SDK with the Prometheus exporter as its reader, until the test is over. */
export function startMetrics(): Metrics {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => provider.shutdown());

  async function resourceMetrics() {
    const { resourceMetrics: collected, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors, "collecting failed");
    return collected;
  }
  async function collect(): Promise<Map<string, MetricData>> {
    const { scopeMetrics } = await resourceMetrics();
    return new Map(scopeMetrics.flatMap(({ metrics }) => metrics).map((metric) => [metric.descriptor.name, metric]));
  }
  return {
    meter: provider.getMeter("connect-session-activity"),
    collect,
    async series() {
      const entries = [...(await collect())].flatMap(([name, { dataPoints }]) =>
        dataPoints.map(({ attributes, value }): [string, number] => [
          `${name}${labelled(attributes)}`,
          typeof value === "number" ? value : value.count,
        ]),
      );
      return Object.fromEntries(entries);
    },
    async text() {
      return new PrometheusSerializer().serialize(await resourceMetrics());
    },
  };
}

function labelled(attributes: object): string {
  const labels = Object.entries(attributes).map(([name, value]) => `${name}=${String(value)}`);
  return labels.length === 0 ? "" : `{${labels.join(",")}}`;
}

/** The series of a text of Prometheus, by name and labels. Those that the exporter adds of itself are left out. */
export function readText(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines
      .map((line): [string, number] => {
        const at = line.lastIndexOf(" ");
        const key = line.slice(0, at).replaceAll(/,?otel_scope_\w+="[^"]*"/g, "");
        return [key.replace("{,", "{").replace("{}", ""), Number(line.slice(at + 1))];
      })
      .filter(([key]) => !key.startsWith("target_info")),
  );
}
