import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readDeadLettersArguments } from "../../src/cli/dead-letters-arguments.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";
import { runProgram } from "../support/program.js";
import { refusalOf } from "../support/refusal.js";

const topic = "session-activities";
const deadLetterTopic = "dead";
let kafka: EmbeddedKafka;
beforeAll(async () => {
  kafka = await startEmbeddedKafka({ topics: [topic, deadLetterTopic] });
});
afterAll(() => kafka.close());

/** Runs the command to its end. */
async function run(action: string, ...args: readonly string[]) {
  const program = runProgram("src/cli/session-activity.js", ["dead-letters", action, ...args], {
    SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers,
    SESSION_TRACKING_CONSUMER_DEAD_LETTER_TOPIC: deadLetterTopic,
  });
  const exitCode = await program.exit;
  return { exitCode, lines: program.stdout.trimEnd().split("\n"), stderr: program.stderr };
}

test("lists what was set aside without what is in it, and retries it once", { timeout: 60_000 }, async () => {
  const headers = [
    { "x-session-context": "secret-context" },
    { "dead-letter-reason": "undecodable" },
    { "dead-letter-origin-topic": topic },
    { "dead-letter-origin-partition": "3" },
    { "dead-letter-origin-offset": "17" },
  ];
  await write(kafka.brokers, deadLetterTopic, [
    { partition: 1, value: Buffer.from("secret-value"), key: "secret-key", headers },
    { partition: 1, value: Buffer.from("\u001b[2Jsecret"), headers: [{ "dead-letter-reason": "\u001b[2J" }] },
  ]);
  const listed = await run("list");
  expect(listed).toMatchObject({ exitCode: 0, stderr: "" });
  expect(listed.lines).toEqual([
    expect.stringMatching(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z session-activities\/3@17 undecodable \(12 bytes; letter dead\/1@0\)$/,
    ),
    expect.stringMatching(/ of unknown origin for an unknown reason \(10 bytes; letter dead\/1@1\)$/),
    "Dead letters: 2",
  ]);
  const retried = await run("retry");
  expect(retried.exitCode).toBe(0);
  expect(retried.lines).toEqual([
    expect.stringMatching(/^Left out: .* letter dead\/1@1\): it does not say where it came from$/),
    "Retried: 1, left out: 1",
  ]);
  expect((await run("retry")).lines).toEqual(["Retried: 0, left out: 0"]);
  expect((await run("list")).lines).toEqual(["Dead letters: 0"]);
  const all = await run("list", "--all", "--limit", "1");
  expect(all.lines).toEqual([expect.stringContaining("@17"), "Dead letters: 1, and perhaps more: see --limit"]);
  expect(JSON.stringify([listed, retried, all])).not.toMatch(/secret|\\u001b/);
});

test("ends with 1 and the reason if there is no such topic", { timeout: 60_000 }, async () => {
  const { exitCode, stderr } = await run("list", "--dead-letter-topic", "nowhere");
  expect(stderr).toBe("session-activity dead-letters: there is no topic nowhere\n");
  expect(exitCode).toBe(1);
});

describe("arguments", () => {
  const given = ["--brokers", "k:1", "--dead-letter-topic", "dead"];

  test("are put on top of the variables", () => {
    const env = { SESSION_TRACKING_KAFKA_TOPIC: "audit", SESSION_TRACKING_CONSUMER_GROUP: "readers" };
    const { action, settings } = readDeadLettersArguments(["list", ...given, "--limit", "5"], env);
    expect(action).toBe("list");
    // The group of the readers is another one.
    expect(settings).toMatchObject({
      brokers: "k:1",
      topic: "audit",
      groupId: "session-activity-dead-letters",
      limit: 5,
    });
  });

  test.each([
    [[], "dead-letters", "the word after dead-letters must be list or retry, got none"],
    [["delete"], "dead-letters", 'the word after dead-letters must be list or retry, got "delete"'],
    [["list"], "--brokers", "--brokers must be given"],
    [["list", "--brokers", "k:1"], "--dead-letter-topic", "--dead-letter-topic must be given"],
    [["list", ...given, "--topic", "dead"], "--dead-letter-topic", "must be another topic than --topic"],
    [["retry", ...given, "--all"], "--all", "--all is for list only"],
    [["retry", ...given, "--limit", "0"], "--limit", "--limit must be a whole number of dead letters from 1"],
  ])("%j are refused", (args, option, message) => {
    const refusal = refusalOf(() => readDeadLettersArguments(args, {}));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option });
  });
});
