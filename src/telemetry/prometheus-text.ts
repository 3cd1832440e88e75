import type { Instrument, MetricAttributes } from "./instrument.js";

/** The content type of what {@link prometheusText} gives. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * The instruments' values in Prometheus' text format, under the names that @opentelemetry/exporter-prometheus gives them.
 *
 * A worker has this instead of that package, so that whoever runs it installs nothing more: counters and gauges are three
 * kinds of lines.
 */
export function prometheusText<Stats>(instruments: readonly Instrument<Stats>[], stats: Stats): string {
  return instruments.map((instrument) => familyOf(instrument, stats)).join("");
}

/** Which process the metrics come from, as the same exporter says it: one series, to be joined to the others. */
export function targetInfoText(resource: MetricAttributes): string {
  return `# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info${labelsOf(resource)} 1\n`;
}

function familyOf<Stats>(instrument: Instrument<Stats>, stats: Stats): string {
  const { kind, description } = instrument;
  const points = instrument.read(stats);
  if (points.length === 0) return "";
  const isCounter = kind === "counter";
  const name = `${nameOf(instrument.name)}${isCounter ? "_total" : ""}`;
  const lines = points.map(({ value, attributes = {} }) => `${name}${labelsOf(attributes)} ${value}\n`);
  return `# HELP ${name} ${escaped(description)}\n# TYPE ${name} ${isCounter ? "counter" : "gauge"}\n${lines.join("")}`;
}

function labelsOf(attributes: MetricAttributes): string {
  const labels = Object.entries(attributes).map(
    ([name, value]) => `${nameOf(name)}="${escaped(String(value)).replaceAll('"', '\\"')}"`,
  );
  return labels.length === 0 ? "" : `{${labels.join(",")}}`;
}

function nameOf(name: string): string {
  return name.replaceAll(/\W/g, "_");
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
