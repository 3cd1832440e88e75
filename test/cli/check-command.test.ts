import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { toBinary, toJson } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { readCheckArguments } from "../../src/cli/check-arguments.js";
import { linesOfReport } from "../../src/cli/check-report.js";
import { readTrailLine } from "../../src/cli/trail-file.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { createRunChecker } from "../../src/trail/index.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";
import { temporaryFolder } from "../spool/spool-fixtures.js";
import { runProgram } from "../support/program.js";
import { refusalOf } from "../support/refusal.js";
import { eventOf, eventsOf, runRecord } from "../trail/run-fixtures.js";

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = runProgram("src/cli/session-activity.js", ["check", ...args], env);
  const exitCode = await program.exit;
  return { exitCode, lines: program.stdout.trimEnd().split("\n"), stderr: program.stderr, stdout: program.stdout };
}

/** A file of JSON Lines. */
function fileOf(...lines: readonly unknown[]): string {
  const path = join(temporaryFolder(), "trail.jsonl");
  writeFileSync(path, lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n"));
  return path;
}

const eventJson = (number: number) => toJson(SessionActivityEventSchema, eventOf(number));
const ended = toJson(SessionActivityRunSchema, runRecord("ENDED", 5, 3));

describe("files", () => {
  test("complete: 0", async () => {
    const events = fileOf({ topic: "t", partition: 0, offset: 1, event: eventJson(1) }, "", eventJson(2));
    const runs = fileOf(
      { run: ended, kafka: { partition: 1 } },
      { ...Object(eventJson(3)), kafka: { topic: "t" } },
      eventJson(3),
    );
    expect(await run(["--files", `${events},${runs}`])).toMatchObject({
      exitCode: 0,
      stderr: "",
      lines: ["run-1 account-service ended: complete; 3 of 1-3; came again: 1", "Complete (runs: 1, events: 3)"],
    });
  });

  test("incomplete: 3, also as JSON", async () => {
    const file = fileOf(ended, eventJson(1), "no JSON", { problem: "undecodable" });
    const text = await run(["--files", file]);
    expect(text).toMatchObject({
      exitCode: 3,
      lines: [
        "run-1 account-service ended: incomplete; 1 of 1-3; missing: 2 (2-3)",
        "Records that cannot be read: 2",
        "Incomplete: 2 missing, 0 declared lost (runs: 1, events: 1)",
      ],
    });
    const json = await run(["--files", file, "--json"]);
    expect(json.exitCode).toBe(3);
    expect(JSON.parse(json.stdout)).toMatchObject({
      verdict: { kind: "incomplete", missing: 2, lost: 0 },
      runs: [
        { instanceId: "run-1", lastRecordAt: "2026-01-01T12:05:00.000Z", missing: { ranges: [{ first: 2, last: 3 }] } },
      ],
      unreadable: 2,
    });
  });

  test("cannot tell: 4", async () => {
    const dead = toJson(SessionActivityRunSchema, runRecord("RUNNING", 5, 1));
    expect(await run(["--files", fileOf(dead, eventJson(1))])).toMatchObject({
      exitCode: 4,
      lines: [
        "run-1 account-service dead: unknown, dead, tail unknown; 1 of 1-1",
        "Unknown: 1 of the runs cannot be judged. If they are open, end the range before now: --until 10m (runs: 1, events: 1)",
      ],
    });
    expect(await run(["--files", fileOf("")])).toMatchObject({
      exitCode: 4,
      lines: [
        "Unknown: there is no run in the range. Give a longer one with --since, or check --runs-topic (runs: 0, events: 0)",
      ],
    });
    const missing = await run(["--files", "/no/such/file"]);
    expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(missing.stderr).toContain("session-activity check: ENOENT");
  });

  test("wrong arguments: 2", async () => {
    const { exitCode, stderr } = await run(["--since", "yesterday", "--files", "x"]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--since must be a time such as 2026-11-27T10:00:00Z, or how long ago it was");
  });
});

describe("topics", () => {
  let kafka: EmbeddedKafka;
  beforeAll(async () => {
    kafka = await startEmbeddedKafka({ topics: ["session-activities", "session-activity-runs"] });
    const events = [...eventsOf(1, 3), eventOf(5)].map((event) => toBinary(SessionActivityEventSchema, event));
    const loss = { sequence: 4n, reason: "expired" };
    const runs = [runRecord("STARTED", 0, 0), runRecord("ENDED", 9, 5, { losses: [loss] })];
    await write(kafka.brokers, "session-activities", [
      ...events.map((value) => ({ value: Buffer.from(value) })),
      { value: Buffer.from([255]) },
    ]);
    await write(
      kafka.brokers,
      "session-activity-runs",
      runs.map((record) => ({ value: Buffer.from(toBinary(SessionActivityRunSchema, record)) })),
    );
  });
  afterAll(() => kafka.close());

  test("reads both, and says what is lost and what cannot be read", { timeout: 60_000 }, async () => {
    expect(await run(["--brokers", kafka.brokers])).toMatchObject({
      exitCode: 3,
      lines: [
        "run-1 account-service ended: incomplete; 4 of 1-5; lost (expired): 1 (4)",
        "Records that cannot be read: 1",
        "Incomplete: 0 missing, 1 declared lost (runs: 1, events: 4)",
      ],
    });
  });

  test("takes the brokers from the environment, and fails without a topic", { timeout: 60_000 }, async () => {
    const env = { SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers, SESSION_TRACKING_KAFKA_RUNS_TOPIC: "unknown-runs" };
    const { exitCode, stderr } = await run([], env);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/session-activity check: .*topic/);
  });
});

test("arguments come on top of the environment", () => {
  const env = {
    SESSION_TRACKING_KAFKA_BROKERS: "host:9092",
    SESSION_TRACKING_KAFKA_TOPIC: "events",
    SESSION_TRACKING_KAFKA_RUNS_TOPIC: "runs",
  };
  expect(readCheckArguments(["--until", "2026-11-27T10:00:00Z"], env)).toMatchObject({
    brokers: "host:9092",
    topic: "events",
    runsTopic: "runs",
    until: Date.parse("2026-11-27T10:00:00Z"),
    since: undefined,
    json: false,
  });
  const unrecorded = { ...env, SESSION_TRACKING_KAFKA_RUNS_TOPIC: "false" };
  expect(readCheckArguments([], unrecorded).runsTopic).toBe("session-activity-runs");
  const { since } = readCheckArguments(["--since", "2h"], env);
  expect(Date.now() - since!).toBeGreaterThanOrEqual(2 * 3_600_000);
});

test.each([
  [["--files", "a", "--topic", "b"], "--files", "leave out what says where topics are"],
  [[], "--brokers", "or --files, or the variable SESSION_TRACKING_KAFKA_BROKERS"],
  [["--runs-topic", "false!"], "--runs-topic", "1 to 249 of"],
  [["--files", "a,,b"], "--files", "the paths of files"],
])("refuses %j", (args, option, message) => {
  const refusal = refusalOf(() => readCheckArguments(args, {}));
  expect(refusal.message).toContain(message);
  expect(refusal).toMatchObject({ option });
});

test("shows at most ten ranges, and nothing that a terminal would obey", () => {
  const checker = createRunChecker();
  const evil = "\u001b[2J";
  for (let number = 1; number < 30; number += 2) checker.add({ ...eventOf(number), service: evil });
  checker.add({ ...runRecord("ENDED", 1, 30), service: evil });
  const [line = ""] = linesOfReport(checker.report(), 0);
  expect(line).not.toContain("\u001b");
  expect(line).toContain("missing: 15 (2, 4, 6, 8, 10, 12, 14, 16, 18, 20, …)");
});

test.each([["null"], ["[]"], ['{"x":1}'], ['{"eventId":1}'], ['{"event":{"sequence":"x"}}']])(
  "cannot read the line %s",
  (line) => {
    expect(readTrailLine(line)).toEqual({ kind: "unreadable" });
  },
);
