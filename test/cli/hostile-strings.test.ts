// 10,000 hostile strings through every command: a terminal must execute nothing, and show each thing in its place.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commands } from "../../src/cli/command-line.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { encodeSessionContext, type SessionActivityEvent, SessionActivityEventSchema } from "../../src/index.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";
import { runCommand } from "./run-command.js";

const count = 10_000;
const seed = 20_261_127;

/** What terminals act on, what moves text, and what ends lines, fields and formulas. */
const parts = [
  "\u001b[2J",
  "\u001b[31m",
  "\u001b]0;title\u0007",
  "\u001b]8;;https://evil.example\u001b\\",
  "\u001b[999;1H",
  "\u001bP1$r\u001b\\",
  "\u009b2J",
  "\u009d0;t\u009c",
  "\u0007",
  "\b\b\b",
  "\r",
  "\n",
  "\r\n",
  "\t",
  "\v",
  "\f",
  "\0",
  "\u007f",
  "\u0085",
  "\u202e",
  "\u202a",
  "\u2066",
  "\u2069",
  "\u200f",
  "\u200e",
  "\u061c",
  "\u2028",
  "\u2029",
  "\u200b",
  "\u200d",
  "\ufeff",
  "\u00ad",
  "\u{e0041}",
  "\u{e0001}",
  "\ufff9",
  "\u0301".repeat(50),
  "\u20e3",
  "שלום",
  "مرحبا",
  "\u{1e900}",
  "\ue000",
  "\u{10ffff}",
  "=cmd|' /C calc'!A0",
  "+1",
  "-1",
  "@SUM(1)",
  '"',
  "'",
  ",",
  ";",
  "\\",
  "\\u{1b}",
  "%s%n",
  "$(reboot)",
  "`reboot`",
  "--reveal",
  "-h",
  "../../etc/passwd",
  "<script>",
  "__proto__",
  "constructor",
  " ",
  "  ",
  "a",
  "Z",
  "0",
  "🚲",
  "東京",
  "ß",
];

/** Pseudo-random numbers below a bound, the same for the same seed (mulberry32). */
function generator(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const next = generator(seed);
const strings = Array.from({ length: count }, () =>
  Array.from({ length: 1 + next(6) }, () => parts[next(parts.length)]!).join(""),
);

/** Everything a terminal would do something else with than show it, but for the ends of lines. */
const active =
  /[^\P{Cc}\n]|[\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFF\u{10800}-\u{10FFF}\u{1E800}-\u{1EFFF}]/u;

function expectHarmless(text: string): void {
  // Lines of CSV end in both.
  const found = active.exec(text.replaceAll("\r\n", "\n"));
  expect(found === null ? "" : JSON.stringify(text.slice(Math.max(0, found.index - 60), found.index + 20))).toBe("");
  expect(text).not.toMatch(/\p{M}{3}/u);
}

/** Ten strings in each event, in every place where a text can stand. */
function eventOf(index: number): SessionActivityEvent {
  const one = (offset: number): string => strings[(index * 10 + offset) % count]!;
  const long = one(9).repeat(1 + (index % 3) * 40);
  return create(SessionActivityEventSchema, {
    eventId: one(0) || "id",
    service: one(1),
    action: one(2),
    procedure: one(3),
    status: one(4),
    handlerStatus: one(5),
    instanceId: one(6),
    contextProblem: one(7),
    traceparent: one(8),
    attributes: { [one(0)]: one(1), long },
    startedAt: timestampFromMs(1_795_000_000_000 + index),
    encodedSessionContext: encodeSessionContext(
      {
        sessionId: one(2),
        userId: one(3),
        country: one(4),
        clientIp: one(5),
        userAgent: one(6),
        signals: { [one(7)]: one(8) },
      },
      { maxBytes: 1_000_000 },
    ),
  });
}

const topic = "session-activities";
let kafka: EmbeddedKafka;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hostile-"));
  kafka = await startEmbeddedKafka({ topics: [topic, "dead"] });
  const records = Array.from({ length: count / 10 }, (_, index) => ({
    partition: index % 4,
    value: toBinary(SessionActivityEventSchema, eventOf(index)),
    headers: [{ [strings[index]!.replaceAll("\0", "") || "h"]: Buffer.from(strings[index]!) }],
  }));
  await write(kafka.brokers, topic, records);
  const letters = strings.slice(0, 1_000).map((text) => ({
    value: Buffer.from(text),
    headers: [{ "dead-letter-reason": Buffer.from(text) }, { "dead-letter-origin-topic": Buffer.from(text) }],
  }));
  await write(kafka.brokers, "dead", letters);
}, 60_000);
afterAll(async () => {
  await kafka.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("what came from the wire", { timeout: 120_000 }, () => {
  const past = ["--since", "1d", "--until", "0s"];

  test.each([[[]], [["--reveal"]]])("is shown by tail in its place, a line each, with %j", async (how) => {
    const { exitCode, lines, stdout, stderr } = await runCommand("tail", "--brokers", kafka.brokers, ...past, ...how);
    expect(exitCode).toBe(0);
    expectHarmless(stdout + stderr);
    expect(lines).toHaveLength(count / 10);
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT.* event=/);
  });

  test("is the same in JSON, escaped", async () => {
    const { lines, stdout } = await runCommand("tail", "--brokers", kafka.brokers, ...past, "--reveal", "--json");
    expectHarmless(stdout);
    const actions = new Set(lines.map((line): string => JSON.parse(line).event.action ?? ""));
    // Half a pair of surrogates is the only thing that protobuf does not carry, and none is among the strings.
    for (let index = 0; index < count / 10; index++) expect(actions).toContain(eventOf(index).action);
  });

  test("makes no formula in CSV, and no line", async () => {
    const { lines, stdout } = await runCommand("export", "--brokers", kafka.brokers, "--format", "csv", "--reveal");
    expectHarmless(stdout);
    expect(lines).toHaveLength(count / 10 + 1);
    expect(
      lines
        .slice(1)
        .flatMap(cellsOf)
        .filter((cell) => /^\s*[=+@-]\D*/.test(cell) && !/^-?\d+(\.\d+)?$/.test(cell)),
    ).toEqual([]);
  });

  test("is shown by show, decode, dead-letters and set-aside in its place", async () => {
    for (let index = 0; index < count / 10; index += 100) {
      const { eventId } = eventOf(index);
      const shown = await runCommand("show", "--brokers", kafka.brokers, "--reveal", "--", eventId);
      expect(shown.exitCode).toBe(0);
      expectHarmless(shown.stdout + shown.stderr);
      expect(shown.lines[0]).toMatch(/^Event /);
    }
    const file = join(folder, "record");
    for (let index = 0; index < count / 10; index++) {
      writeFileSync(file, toBinary(SessionActivityEventSchema, eventOf(index)));
      const decoded = await runCommand("decode", file, "--reveal");
      expectHarmless(decoded.stdout + decoded.stderr);
    }
    const letters = await runCommand("dead-letters", "list", "--brokers", kafka.brokers, "--dead-letter-topic", "dead");
    expectHarmless(letters.stdout + letters.stderr);
    expect(letters.lines).toHaveLength(1_001);
    const database = openSignalDatabase({ url: join(folder, "database") });
    const history = createSignalHistory({ database, env: false });
    await history.migrate();
    for (const [offset, text] of strings.slice(0, 200).entries()) {
      const value = toBinary(SessionActivityEventSchema, eventOf(offset));
      await history.setAside({ topic: text, partition: 0, offset, value }, text);
    }
    await database.close();
    const listed = await runCommand("set-aside", "list", "--database", join(folder, "database"));
    expectHarmless(listed.stdout + listed.stderr);
    expect(listed.lines).toHaveLength(201);
  });

  test("is a wrong argument of every command, and is quoted as text only", async () => {
    for (const [index, text] of strings.entries()) {
      const { name } = commands[index % commands.length]!;
      // After an option that there is, before one that there is not, and as a word.
      const args = [[`--${text}`], ["--topic", text, "--none"], ["--", text, text]][index % 3]!;
      const { exitCode, stdout, stderr } = await runCommand(name, ...args);
      expect([0, 2]).toContain(exitCode);
      expectHarmless(stdout + stderr);
      const unknown = await runCommand(text);
      expectHarmless(unknown.stdout + unknown.stderr);
    }
  });
});

/** The cells of a line of CSV. */
function cellsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^",]*))/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}
