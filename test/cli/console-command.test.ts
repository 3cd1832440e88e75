// `session-activity console`, as somebody types it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readConsoleArguments } from "../../src/cli/console-arguments.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { ask } from "../console/console-fixtures.js";
import { runProgram } from "../support/program.js";
import { refusalOf } from "../support/refusal.js";

const run = (args: readonly string[]) => runProgram("src/cli/session-activity.js", ["console", ...args], {});
const needed = ["--brokers", "127.0.0.1:1", "--database", "postgresql://127.0.0.1:1/none"];

test("prints an address that lets one in, and ends by SIGTERM", { timeout: 90_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const folder = mkdtempSync(join(tmpdir(), "console-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const database = openSignalDatabase({ url: join(folder, "database"), env: false });
  await createSignalHistory({ database, env: false }).migrate();
  await database.close();
  const program = run(["--brokers", kafka.brokers, "--database", join(folder, "database")]);
  await expect.poll(() => program.stdout, { timeout: 60_000 }).toMatch(/^http:\S+\n$/);
  const { port, pathname, search } = new URL(program.stdout.trim());
  expect((await ask(Number(port), { path: pathname + search })).status).toBe(303);
  expect(await program.stop()).toBe(0);
  expect(program.stderr).toBe("");
});

test("ends with 1 if the looks cannot be written or the history is not there", { timeout: 90_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "console-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const missing = run(["--brokers", "127.0.0.1:1", "--no-audit", "--database", join(folder, "none")]);
  expect(await missing.exit).toBe(1);
  expect(missing.stderr).toMatch(/session-activity console: .*there is no database in this folder/);
});

test("ends with 2 for wrong arguments, and says which", { timeout: 60_000 }, async () => {
  const program = run([...needed, "--host", "0.0.0.0"]);
  expect(await program.exit).toBe(2);
  expect(program.stderr).toContain("proxyHeader must be given");
});

test.each<[readonly string[], string]>([
  [["--database", "folder"], "brokers"],
  [["--brokers", "127.0.0.1:1"], "database"],
  [[...needed, "--port", "70000"], "--port"],
  [[...needed, "--port", "many"], "--port"],
  [[...needed, "--proxy-header", "a b"], "--proxy-header"],
  [[...needed, "--proxy-addresses", "example.com"], "--proxy-addresses"],
  [[...needed, "--public-origin", "console.example"], "--public-origin"],
  [[...needed, "--public-origin", "https://console.example/path"], "--public-origin"],
  [[...needed, "--schema", "Robert'); drop table"], "--schema"],
  [["--brokers", "127.0.0.1:1", "--database", "postgresql://u:secret@h/d"], "--database"],
  [[...needed, "--hots", "::1"], "--hots"],
])("refuses %j, and names the option", (args, option) => {
  expect(refusalOf(() => readConsoleArguments(args, {}))).toMatchObject({ option });
});

test("takes what the variables of worker and service say, and arguments over them", () => {
  const env = {
    SESSION_TRACKING_KAFKA_BROKERS: "kafka:9092",
    SESSION_HISTORY_DATABASE: "postgresql://db/history",
    SESSION_HISTORY_SCHEMA: "of_env",
  };
  expect(readConsoleArguments(["--no-audit", "--port", "8080", "--schema", "given"], env)).toEqual({
    noAudit: true,
    port: 8_080,
    schema: "given",
    env,
  });
});
