// What only a process of its own shows: pipes, process signals, and being killed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { statePathOf } from "../../src/cli/export-file.js";
import { SessionActivityEventSchema } from "../../src/index.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";
import { dist, runProgram } from "../support/program.js";
import { until } from "../support/until.js";
import { sessionEvents } from "./cli-fixtures.js";

const count = 40_000;
const program = `${dist}/src/cli/session-activity.js`;

let kafka: EmbeddedKafka;
beforeAll(async () => {
  kafka = await startEmbeddedKafka();
  const records = sessionEvents(count).map((event, index) => ({
    partition: index % 4,
    value: toBinary(SessionActivityEventSchema, event),
  }));
  await write(kafka.brokers, "session-activities", records, { "queue.buffering.max.messages": count + 1 });
}, 60_000);
afterAll(() => kafka.close());

const reading = (...args: readonly string[]): string[] => [...args, "--brokers", kafka.brokers];

describe("a process", { timeout: 60_000 }, () => {
  test("ends quietly when whoever reads it has seen enough", async () => {
    const child = spawn(process.execPath, [program, ...reading("tail", "--since", "1h")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let stderr = "";
    child.stderr.on("data", (text) => (stderr += String(text)));
    await once(child.stdout, "data");
    child.stdout.destroy();
    const [code] = await once(child, "close");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  test.each([
    ["tail", 0],
    ["export", 130],
  ])("ends within a second by Ctrl-C, though nobody reads what %s prints", async (command, exitCode) => {
    const child = spawn(process.execPath, [program, ...reading(command, "--since", "1h")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    // The first lines are there, and the pipe is full.
    await until(() => child.stdout.readableLength > 0);
    child.stdout.pause();
    await new Promise((resolve) => {
      setTimeout(resolve, 1_000);
    });
    const askedMs = performance.now();
    child.kill("SIGINT");
    const [code] = await once(child, "exit");
    expect(code).toBe(exitCode);
    expect(performance.now() - askedMs).toBeLessThan(1_500);
  });

  test("ends within a second by Ctrl-C while it waits for brokers that are away", async () => {
    const child = runProgram("src/cli/session-activity.js", ["tail", "--brokers", "127.0.0.1:1"], {});
    await until(() => child.stderr.includes("kafka_client_fail"));
    const askedMs = performance.now();
    child.process.kill("SIGINT");
    expect(await child.exit).toBe(0);
    expect(performance.now() - askedMs).toBeLessThan(1_500);
  });

  test("that is killed in an export goes on, and the file is that of one run", async () => {
    const folder = mkdtempSync(join(tmpdir(), "export-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
    const args = (file: string): string[] => reading("export", "--since", "1h", "--reveal", "--output", file);
    const run = (file: string) => runProgram("src/cli/session-activity.js", args(file), {});
    expect(await run(whole).exit).toBe(0);
    const { size } = statSync(whole);
    let kills = 0;
    for (const share of [0.2, 0.5, 0.8]) {
      const child = run(cut);
      await until(() => child.process.exitCode !== null || sizeOf(cut) > share * size);
      if (child.process.exitCode === null && child.process.kill("SIGKILL")) kills += 1;
      await child.exit;
    }
    expect(kills).toBeGreaterThan(0);
    const isLeft = sizeOf(statePathOf(cut)) > 0;
    expect(await run(cut).exit).toBe(isLeft ? 0 : 1);
    expect(readFileSync(cut).equals(readFileSync(whole))).toBe(true);
  });
});

/** 0 if there is no such file. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
