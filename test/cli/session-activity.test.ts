import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { HistoryWorkerStats } from "../../src/cli/history-worker.js";
import { openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { type Program, runProgram } from "../support/program.js";
import { until } from "../support/until.js";
import { changesIn, changesOf, sessionEvents, writeSessionEvents } from "./cli-fixtures.js";
import { slowStartMs, startWorkerProcess, untilCommitted, watchedGroup } from "./worker-process.js";

const topic = "session-activities";
const groupId = "session-activity-history";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

/** Runs the package's program. */
const run = (args: readonly string[], env: Record<string, string> = {}): Program =>
  runProgram("src/cli/session-activity.js", args, env);

/** What its health endpoint says, as soon as there is one. */
async function health(program: Program, path: string): Promise<{ status: number; body: HistoryWorkerStats }> {
  const portOf = (): string | undefined => /"healthPort":(\d+)/.exec(program.stderr)?.[1];
  await until(
    () => portOf() !== undefined,
    () => program.stderr,
  );
  const response = await fetch(`http://127.0.0.1:${portOf()}${path}`);
  return { status: response.status, body: (await response.json()) as HistoryWorkerStats };
}

describe("session-activity", { timeout: 60_000 }, () => {
  test.each([
    [["--help"], 0, /^Usage: session-activity <command>\n/, /^$/],
    [["--version"], 0, /^\d+\.\d+\.\d+\n$/, /^$/],
    [["dead-letters", "--help"], 0, /^Usage: session-activity dead-letters list\|retry /, /^$/],
    [["dead-letters"], 2, /^$/, /^session-activity dead-letters: the word after dead-letters must be list or retry, /],
    [["history", "--help"], 0, /^Usage: session-activity history /, /^$/],
    [[], 2, /^$/, /^session-activity: expected a command, got none\n/],
    [["histroy"], 2, /^$/, /^session-activity: expected a command, got "histroy": did you mean history\?\n/],
    [
      ["history"],
      2,
      /^$/,
      /^session-activity history: --brokers must be given, .*variable SESSION_TRACKING_KAFKA_BROKERS\n$/,
    ],
    [["history", "--brokers", "k:1"], 2, /^$/, /^session-activity history: --database must be given, .*\n$/],
  ])("%o ends with %i", async (args, exitCode, stdout, stderr) => {
    const program = run(args);
    expect(await program.exit).toBe(exitCode);
    expect(program.stdout).toMatch(stdout);
    expect(program.stderr).toMatch(stderr);
  });

  test("a folder that is none ends with 1, and the reason", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const program = run(["history", "--brokers", "127.0.0.1:1", "--database", file]);
    expect(await program.exit).toBe(1);
    expect(program.stderr).toMatch(
      /^session-activity history: the database refuses: ENOTDIR ENOTDIR: not a directory, open '.*\/file'$/m,
    );
  });

  test("a folder that is open already ends with 1, and the reason", { timeout: 60_000 }, async () => {
    const database = openSignalDatabase({ url: join(folder, "data") });
    onTestFinished(() => database.close());
    await database.query("select 1");
    const program = run(["history", "--brokers", "127.0.0.1:1", "--database", join(folder, "data")]);
    expect(await program.exit).toBe(1);
    expect(program.stderr).toMatch(
      /^session-activity history: the database refuses: EBUSY the folder .*\/data is open already: one process .*$/m,
    );
  });

  test("a health port that is taken ends with 1, and the reason", async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const port = kafka.brokers.split(":")[1]!;
    const args = ["--brokers", kafka.brokers, "--database", "postgresql://127.0.0.1:1/none"];
    const program = run(["history", ...args, "--health-port", port, "--health-host", "127.0.0.1"]);
    expect(await program.exit).toBe(1);
    expect(program.stderr).toMatch(/^session-activity history: .*EADDRINUSE/m);
  });
});

describe("session-activity history", { timeout: 180_000 }, () => {
  test("waits for a database that is away, and ends with 0 when it is told to", async () => {
    const args = ["--brokers", "127.0.0.1:1", "--database", "postgresql://127.0.0.1:1/none", "--health-port", "0"];
    const program = run(["history", ...args]);
    expect((await health(program, "/healthz")).status).toBe(200);
    const ready = await health(program, "/readyz");
    expect(ready).toMatchObject({ status: 503, body: { live: true, ready: false } });
    await until(() => program.stderr.includes("ECONNREFUSED"));
    program.process.kill("SIGINT");
    expect(await program.exit).toBe(0);
  });

  test("records, commits at the end, and begins again where it was", async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const events = sessionEvents(400);
    const args = ["--database", join(folder, "data"), "--health-port", "0"];
    const env = { SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers };
    for (const part of [200, 400]) {
      await writeSessionEvents(kafka.brokers, topic, events.slice(part - 200, part));
      const program = run(["history", ...args], env);
      let report = await health(program, "/readyz");
      await until(
        async () => {
          report = await health(program, "/readyz");
          return report.body.history.recorded === 200;
        },
        () => [report, program.stderr],
        slowStartMs,
      );
      expect(report).toMatchObject({ status: 200, body: { ready: true, history: { duplicates: 0 } } });
      expect(JSON.stringify(report.body)).not.toMatch(/session-\d|DE|phone|event-/);
      expect(await program.stop()).toBe(0);
    }
    const database = openSignalDatabase({ url: join(folder, "data") });
    onTestFinished(() => database.close());
    expect(await changesIn(database)).toEqual(changesOf(events));
  });
});

test("a worker that was killed is followed by another one, and the history is that of one", {
  timeout: 240_000,
}, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const events = sessionEvents(4_000);
  await writeSessionEvents(kafka.brokers, topic, events);
  // The broker notices the death after the session timeout. It takes the older protocol's from the client.
  const properties = { "group.protocol": "classic", "session.timeout.ms": 4_000, "heartbeat.interval.ms": 500 };
  const reading = { brokers: kafka.brokers, groupId, properties };
  const database = join(folder, "data");

  // Slow enough that offsets which ran ahead of the database would be committed by the time of its death.
  const first = startWorkerProcess({ database, kafka: reading, statementMs: 150 });
  await untilCommitted(first);
  await first.kill();
  expect(first.recorded()).toBeLessThan(3_900);

  const second = startWorkerProcess({ database, kafka: reading });
  await until(watchedGroup(reading).hasCaughtUp, second.stats, slowStartMs);
  await second.close();
  // Both did some of it.
  expect(second.recorded()).toBeGreaterThan(0);
  expect(first.recorded() + second.recorded()).toBeLessThanOrEqual(4_000);

  const opened = openSignalDatabase({ url: database });
  onTestFinished(() => opened.close());
  expect(await changesIn(opened)).toEqual(changesOf(events));
});
