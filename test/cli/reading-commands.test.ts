// tail, show and export, on an embedded Kafka.
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, fromJson, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { csvCell } from "../../src/cli/event-csv.js";
import { readExportArguments } from "../../src/cli/export-command.js";
import { statePathOf } from "../../src/cli/export-file.js";
import { readShowArguments } from "../../src/cli/show-command.js";
import { readTailArguments } from "../../src/cli/tail-command.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { encodeSessionContext, SessionActivityEventSchema } from "../../src/index.js";
import { frameHeader, frameOf } from "../../src/kafka/client/schema-frame.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";
import { refusalOf } from "../support/refusal.js";
import { until } from "../support/until.js";
import { runCommand, startCommand } from "./run-command.js";

const topic = "session-activities";
const startMs = Date.parse("2026-11-27T10:00:00Z");
const uuid = "019c1234-5678-7abc-9def-0123456789ab";
const personal = ["user-", "203.0.113.", "Mozilla", "device-", "ann@example.org"];

let kafka: EmbeddedKafka;
beforeAll(async () => {
  kafka = await startEmbeddedKafka({ topics: [topic, "empty", "live", "odd"] });
  await writeEvents(
    topic,
    Array.from({ length: 400 }, (_, number) => eventNumber(number)),
  );
}, 60_000);
afterAll(() => kafka.close());

type Init = MessageInitShape<typeof SessionActivityEventSchema>;

function eventNumber(number: number, more: Init = {}): Init {
  const statuses = ["OK", "PERMISSION_DENIED", "UNAUTHENTICATED", "CANCELLED"];
  return {
    eventId: `event-${number}`,
    service: number % 2 ? "account-service" : "billing-service",
    action: number % 5 ? "login" : "change_password",
    procedure: "/acme.account.v1.AccountService/Login",
    status: statuses[number % 4]!,
    statusInferred: number % 4 === 3,
    contextVerified: number % 10 === 0,
    startedAt: timestampFromMs(startMs + number * 1_000),
    completedAt: timestampFromMs(startMs + number * 1_000 + 41),
    duration: durationFromMs(41),
    instanceId: "instance-1",
    sequence: BigInt(number + 1),
    attributes: { reason: "forgotten", email: "ann@example.org" },
    encodedSessionContext: encodeSessionContext({
      sessionId: `session-${number % 7}`,
      userId: `user-${number % 3}`,
      deviceId: "device-1",
      clientIp: "203.0.113.7",
      userAgent: "Mozilla/5.0",
      country: "DE",
    }),
    ...more,
  };
}

function writeEvents(to: string, events: readonly Init[], partitions = 4): Promise<void> {
  const records = events.map((event, index) => ({
    partition: index % partitions,
    value: toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, event)),
  }));
  return write(kafka.brokers, to, records);
}

const reading = (...args: readonly string[]): string[] => ["--brokers", kafka.brokers, ...args];
const past = ["--since", "1h", "--until", "0s"];

describe("tail", { timeout: 60_000 }, () => {
  test("shows what comes from here on, a line each, and ends when it is told to", async () => {
    const command = startCommand(["tail", ...reading("--topic", "live")]);
    // It begins at the end, so what it is to see comes until it has seen it.
    const writing = setInterval(() => void writeEvents("live", [eventNumber(1)]), 200);
    await until(
      () => command.stdout.includes("\n"),
      () => command.stderr,
    );
    clearInterval(writing);
    const endedMs = performance.now();
    command.end("SIGINT");
    expect(await command.exitCode).toBe(0);
    expect(performance.now() - endedMs).toBeLessThan(1_000);
    expect(command.stdout.split("\n")[0]).toMatch(
      /^2026-11-27T10:00:01\.000Z PERMISSION_DENIED account-service login 41ms session=session-1 user=masked-[\da-f]{8} country=DE ip=masked-[\da-f]{8} device=masked-[\da-f]{8} unverified event=event-1$/,
    );
    expect(command.stderr).toBe("");
  });

  test.each<[readonly string[], (number: number) => boolean]>([
    [[], () => true],
    [["--service", "account-service"], (number) => number % 2 === 1],
    [["--action", "change_password, login"], () => true],
    [["--action", "change_password"], (number) => number % 5 === 0],
    [["--status", "ok,CANCELLED"], (number) => number % 4 === 0 || number % 4 === 3],
    [["--session", "session-3,session-4"], (number) => number % 7 === 3 || number % 7 === 4],
    [["--user", "user-2"], (number) => number % 3 === 2],
    [["--verified"], (number) => number % 10 === 0],
    [["--verified=false"], (number) => number % 10 !== 0],
    [["--inferred"], (number) => number % 4 === 3],
    [["--inferred=false", "--user", "user-1"], (number) => number % 4 !== 3 && number % 3 === 1],
  ])("with %j shows these events only", async (filter, fits) => {
    const { exitCode, lines } = await runCommand("tail", ...reading(...past, "--json", ...filter));
    expect(exitCode).toBe(0);
    const ids = lines.map((line): string => JSON.parse(line).event.eventId);
    const expected = Array.from({ length: 400 }, (_, number) => number).filter(fits);
    expect(ids.toSorted()).toEqual(expected.map((number) => `event-${number}`).toSorted());
  });

  test("masks what tells of a person, unless it is told to reveal it", async () => {
    for (const how of [[], ["--json"]]) {
      const masked = await runCommand("tail", ...reading(...past, "--limit", "50", ...how));
      expect(masked.lines).toHaveLength(50);
      for (const text of personal) expect(masked.stdout).not.toContain(text);
      expect(masked.stdout).toContain("masked-");
    }
    const [line] = (await runCommand("tail", ...reading(...past, "--limit", "1", "--json", "--reveal"))).lines;
    const { event, context, value, ...place } = JSON.parse(line!);
    expect(context).toMatchObject({ clientIp: "203.0.113.7", userAgent: "Mozilla/5.0" });
    expect(place).toEqual({ topic, partition: expect.any(Number), offset: 0, timestamp: expect.stringMatching(/Z$/) });
    // The line is the event, and its bytes are those of the record.
    const read = fromJson(SessionActivityEventSchema, event);
    expect(fromBinary(SessionActivityEventSchema, Buffer.from(value, "base64"))).toEqual(read);
  });

  test("shows records without an event, of any kind of brokenness, and events with impossible times", async () => {
    const odd = toBinary(
      SessionActivityEventSchema,
      create(SessionActivityEventSchema, {
        eventId: "odd",
        startedAt: { seconds: 9_000_000_000_000n, nanos: -1 },
        duration: { seconds: 9_000_000_000_000_000n, nanos: 0 },
      }),
    );
    const event = toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, eventNumber(1)));
    await write(kafka.brokers, "odd", [
      { partition: 0, value: Buffer.from("no event") },
      { partition: 0, value: odd },
      { partition: 0, value: Buffer.concat([frameOf(42), event]) },
      { partition: 0, value: event, headers: [frameHeader(42)] },
    ]);
    const { lines } = await runCommand("tail", ...reading("--topic", "odd", ...past));
    expect(lines).toEqual([
      "no event: undecodable 8 bytes odd/0@0",
      expect.stringMatching(/^at an unknown time .* - context=none unverified event=odd$/),
      expect.stringContaining("event=event-1"),
      expect.stringContaining("event=event-1"),
    ]);
    const json = await runCommand("tail", ...reading("--topic", "odd", ...past, "--json"));
    expect(json.lines.map((line) => JSON.parse(line))).toMatchObject([
      { offset: 0, problem: "undecodable" },
      { offset: 1, event: { eventId: "odd" } },
      { offset: 2, event: { eventId: "event-1" } },
      { offset: 3, event: { eventId: "event-1" } },
    ]);
  });

  test("ends with 1 and what to do if there is no such topic, or no broker", async () => {
    const none = await runCommand("tail", ...reading("--topic", "nowhere"));
    expect(none).toMatchObject({ exitCode: 1, stdout: "" });
    expect(none.stderr).toContain(
      "session-activity tail: there is no topic nowhere. To find out why, run: session-activity doctor --brokers ",
    );
  });

  test.each([
    [["--status", "OKAY"], "--status must be statuses joined by commas, each one of OK, "],
    [
      ["--since", "yesterday"],
      '--since must be a time such as 2026-11-27T10:00:00Z, or how long ago it was: 90s, 15m, 2h or 7d, got "yesterday"',
    ],
    [["--verified=perhaps"], "--verified must be given alone, or as =true or =false, got another value"],
    [["--sinse", "1h"], "--sinse is unknown, did you mean --since?"],
    [["word"], "arguments must be options only, got a word that belongs to no option; --help lists them"],
  ])("refuses %j", (args, message) => {
    expect(refusalOf(() => readTailArguments(["--brokers", "k:1", ...args], {})).message).toContain(message);
  });

  test.each([
    ["2026-11-27T10:00:00Z", startMs],
    ["2026-11-27T10:00", startMs],
    ["2026-11-27T12:00:00.000+02:00", startMs],
    ["2026-11-27", startMs - 36_000_000],
  ])("takes %s for a time", (given, ms) => {
    expect(readTailArguments(["--brokers", "k:1", "--since", given], {}).since).toBe(ms);
  });
});

describe("show", { timeout: 60_000 }, () => {
  test("shows all of an event, what it changed, and where it stands", async () => {
    const folder = temporaryFolder();
    const database = openSignalDatabase({ url: folder });
    const history = createSignalHistory({ database });
    await history.migrate();
    await history.recordBatch([
      create(SessionActivityEventSchema, eventNumber(28)),
      create(SessionActivityEventSchema, eventNumber(56)),
    ]);
    await database.close();
    const masked = await runCommand("show", "event-28", ...reading("--database", folder));
    expect(masked).toMatchObject({ exitCode: 0, stderr: "" });
    for (const text of personal) expect(masked.stdout).not.toContain(text);
    expect(masked.stdout).toMatch(/^Event event-28\n {2}status {5}OK\n {2}service {4}billing-service\n/);
    expect(masked.stdout).toMatch(/\nSession\n {2}session id {2}session-0\n/);
    expect(masked.stdout).toMatch(/\nRecord\n {2}place {4}session-activities\/0@7\n {2}written {2}2\d{3}-/);
    expect(masked.stdout).toMatch(
      /\nChanged by it\n {2}client_ip {3,}masked-[\da-f]{8}, for the first time\n {2}country {5,}DE, for/,
    );
    const revealed = await runCommand("show", "event-28", ...reading("--reveal", "--database", folder));
    for (const text of ["user-1", "203.0.113.7", "Mozilla/5.0", "ann@example.org"])
      expect(revealed.stdout).toContain(text);
    const session = await runCommand("show", "session-0", ...reading("--database", folder));
    expect(session.lines.filter((line) => line.includes("session=session-0"))).toHaveLength(58);
    expect(session.stdout).toMatch(/\nSignals now\n {2}client_ip {3,}masked-/);
    expect(session.stdout).toMatch(
      /\nChanges\n {2}2026-11-27T10:00:28.000Z {2}client_ip is masked-[\da-f]{8}, for the first time, by login/,
    );
  });

  test("finds the events of a session in their order", async () => {
    const { lines } = await runCommand("show", "session-3", ...reading("--json"));
    const numbers = lines.map((line) => Number(JSON.parse(line).event.eventId.slice("event-".length)));
    expect(numbers).toEqual(Array.from({ length: 57 }, (_, index) => 3 + 7 * index).filter((number) => number < 400));
  });

  test("ends with 3 if nothing is known", async () => {
    const none = await runCommand("show", uuid, ...reading());
    expect(none).toMatchObject({ exitCode: 3, stdout: "" });
    expect(none.stderr).toContain(`Nothing was found about ${uuid}`);
  });

  test("refuses to be typed without an id, or with a password", () => {
    expect(refusalOf(() => readShowArguments(["--brokers", "k:1"], {})).message).toBe(
      "the word after show must be given, the id of an event or of a session",
    );
    const args = ["id", "--brokers", "k:1", "--database", "postgresql://a:secret@h/d"];
    expect(refusalOf(() => readShowArguments(args, {})).message).toMatch(/^--database must be without a password/);
    expect(
      readShowArguments(["id"], { SESSION_TRACKING_KAFKA_BROKERS: "k:1", SESSION_HISTORY_DATABASE: "x" }),
    ).toMatchObject({
      address: { url: "x" },
      brokers: "k:1",
    });
  });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("export", { timeout: 60_000 }, () => {
  test("writes a line for each record, partition after partition, and says how many", async () => {
    const file = join(temporaryFolder(), "out.jsonl");
    const { exitCode, stdout, stderr } = await runCommand("export", ...reading("--output", file, "--reveal"));
    expect({ exitCode, stdout, stderr }).toEqual({
      exitCode: 0,
      stdout: "",
      stderr: `Exported: 400 records to ${file}\n`,
    });
    expect(existsSync(statePathOf(file))).toBe(false);
    const lines = readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const places = lines.map(({ partition, offset }) => [partition, offset]);
    expect(places).toEqual(Array.from({ length: 400 }, (_, index) => [Math.floor(index / 100), index % 100]));
    for (const { event, value } of lines) {
      const bytes = Buffer.from(value, "base64");
      expect(fromBinary(SessionActivityEventSchema, bytes)).toEqual(fromJson(SessionActivityEventSchema, event));
    }
    const again = await runCommand("export", ...reading("--output", file, "--reveal"));
    expect(again).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("is there already, and complete") });
  });

  test.each(["jsonl", "csv"])("that was cut off goes on, and the %s is that of one run", async (format) => {
    const folder = temporaryFolder();
    const file = join(folder, "out");
    const args = [
      "export",
      ...reading("--format", format, "--reveal", "--since", "1h", "--until", "0s", "--output", file),
    ];
    await runCommand(...args);
    const whole = readFileSync(file);
    rmSync(file);
    // As a crash leaves it: noted up to somewhere, with more in the file than was noted.
    const command = startCommand(args);
    command.end("SIGINT");
    expect(await command.exitCode).toBe(130);
    const state = JSON.parse(readFileSync(statePathOf(file), "utf8"));
    const header = format === "csv" ? whole.indexOf("\n") + 1 : 0;
    expect(state).toMatchObject({ bytes: header, lines: 0, ranges: [{ next: 0, end: 100 }, {}, {}, {}] });
    const cut = lineEnd(whole, header, 130);
    const ranges = state.ranges.map((range: object, index: number) => ({ ...range, next: [100, 30, 0, 0][index] }));
    writeFileSync(statePathOf(file), JSON.stringify({ ...state, ranges, bytes: cut, lines: 130 }));
    writeFileSync(file, whole.subarray(0, cut + 7));
    expect(await runCommand(...args)).toMatchObject({ exitCode: 0, stderr: `Exported: 400 records to ${file}\n` });
    expect(readFileSync(file).equals(whole)).toBe(true);
  });

  test("keeps its masks when it goes on, and goes on with nothing else", async () => {
    const file = join(temporaryFolder(), "out.jsonl");
    const args = ["export", ...reading("--output", file)];
    const command = startCommand(args);
    command.end("SIGTERM");
    expect(await command.exitCode).toBe(143);
    const other = await runCommand(...args, "--status", "OK");
    expect(other).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("was begun with other options") });
    expect(await runCommand(...args)).toMatchObject({ exitCode: 0 });
    const users = readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).context.userId);
    expect(new Set(users).size).toBe(3);
    writeFileSync(statePathOf(file), "{");
    expect((await runCommand(...args)).stderr).toContain("is damaged: remove it");
    writeFileSync(
      statePathOf(file),
      JSON.stringify({ order: "[]", maskKey: "", until: 1, ranges: [], bytes: 1, lines: 1 }),
    );
    truncateSync(file, 0);
    expect((await runCommand(...args)).stderr).toContain("was begun with other options");
  });

  test("writes CSV that a spreadsheet takes for text", async () => {
    const { lines } = await runCommand("export", ...reading("--format", "csv", "--topic", "odd"));
    expect(lines[0]).toMatch(
      /^started_at,completed_at,duration_ms,service,action,.*,topic,partition,offset,timestamp,problem$/,
    );
    expect(lines.find((line) => line.endsWith(",undecodable"))).toMatch(/^,{29}odd,0,0,/);
  });

  test.each([
    ["=1+1", '"\'=1+1"'],
    ["+1", '"\'+1"'],
    ["-1", '"\'-1"'],
    ["@sum", '"\'@sum"'],
    ["＝1", '"\'＝1"'],
    ["\t=1", "\\u{9}=1"],
    ["\r\n=1", "\\u{d}\\u{a}=1"],
    ['say "a", b', '"say ""a"", b"'],
    ["plain", "plain"],
    [7, "7"],
    [undefined, ""],
  ])("writes %j as the cell %s", (value, cell) => {
    expect(csvCell(value)).toBe(cell);
  });

  test("refuses the name of its own note", () => {
    expect(refusalOf(() => readExportArguments(["--brokers", "k:1", "--output", "a.state"], {})).option).toBe(
      "--output",
    );
  });
});

/** Where so many lines after a place end. */
function lineEnd(text: Buffer, start: number, count: number): number {
  let end = start;
  for (let line = 0; line < count; line++) end = text.indexOf("\n", end) + 1;
  return end;
}
