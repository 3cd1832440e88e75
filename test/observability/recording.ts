import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";
import { at } from "../docs/pages.js";
import { readText } from "../telemetry/metrics-fixtures.js";
import { promtool } from "./promtool.js";

/** The labels that a Prometheus server adds. */
const target = 'job="session-activity",instance="a:1"';

/** When an alert must fire, and when not, in minutes since the first scrape. */
export interface Expectation {
  readonly minute: number;
  readonly firing: boolean;
}

/**
 * What a Prometheus server would have read from a process, one scrape a minute. The minutes do not pass: what the process is
 * made to do between two scrapes is what it would do in a minute.
 */
export class Recording {
  readonly #series: Map<string, (number | undefined)[]> = new Map();
  #scrapes = 0;

  /** The minute of the last scrape. */
  get minute(): number {
    return this.#scrapes - 1;
  }

  /** Takes what the process gave. Series that it no longer gives are gone, as for a server. */
  scrape(text: string): void {
    for (const [name, value] of readText(text)) {
      const values = this.#series.get(name) ?? [];
      values[this.#scrapes] = value;
      this.#series.set(name, values);
    }
    this.#scrapes += 1;
  }

  /** Lets Prometheus' own tool evaluate the rules over what was read. Answers with what is not as expected. */
  contradictions(alert: string, expectations: readonly Expectation[]): string {
    const folder = mkdtempSync(join(tmpdir(), "alerts-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "test.yaml");
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(this.#rulesTest(alert, expectations)));
    const { status, output } = promtool(["test", "rules", file]);
    return status === 0 ? "" : output;
  }

  #rulesTest(alert: string, expectations: readonly Expectation[]): object {
    const firing = `group by (alertname) (ALERTS{alertname="${alert}",alertstate="firing"})`;
    const samples = [{ labels: `{alertname="${alert}"}`, value: 1 }];
    return {
      rule_files: [at("examples/observability/alerts.yaml")],
      evaluation_interval: "1m",
      tests: [
        {
          interval: "1m",
          input_series: [...this.#series].map(([name, values]) => ({
            series: withTarget(name),
            values: Array.from({ length: this.#scrapes }, (_, index) => values[index] ?? "_").join(" "),
          })),
          promql_expr_test: expectations.map((one) => ({
            expr: firing,
            eval_time: `${one.minute}m`,
            exp_samples: one.firing ? samples : [],
          })),
        },
      ],
    };
  }
}

function withTarget(series: string): string {
  return series.endsWith("}") ? `${series.slice(0, -1)},${target}}` : `${series}{${target}}`;
}

/** A clock that the process under test sees, and that a test sets ahead, until the test is over. */
export function aheadClock(): { advance(ms: number): void } {
  let ahead = 0;
  const clocks = [
    [Date, Date.now.bind(Date)],
    [performance, performance.now.bind(performance)],
  ] as const;
  for (const [clock, now] of clocks) {
    const spy = vi.spyOn(clock as { now(): number }, "now").mockImplementation(() => now() + ahead);
    onTestFinished(() => spy.mockRestore());
  }
  return {
    advance(ms) {
      ahead += ms;
    },
  };
}

/** One part of a recording: how many minutes, and what happens in each. */
export interface Phase {
  readonly minutes: number;
  act(minute: number): void | Promise<unknown>;
}

/** Records phases one after another. Answers with the minute that each of them ended. */
export async function record(
  recording: Recording,
  scrape: () => Promise<string>,
  phases: readonly Phase[],
): Promise<number[]> {
  const ends: number[] = [];
  for (const { minutes, act } of phases) {
    for (let minute = 0; minute < minutes; minute += 1) {
      await act(minute);
      recording.scrape(await scrape());
    }
    ends.push(recording.minute);
  }
  return ends;
}
