// The command of docs/history-worker.md, with addresses of here.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { freePorts } from "../support/free-ports.js";
import { runProgram } from "../support/program.js";
import { blocksOf, commandsOf, shellBlock } from "./pages.js";

it("starts, is ready, and ends by SIGTERM", { timeout: 90_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const folder = mkdtempSync(join(tmpdir(), "docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const [command] = commandsOf(shellBlock("docs/history-worker.md", "session-activity"));
  const { env, args } = command!;
  expect(Object.keys(env)).toEqual(["SESSION_HISTORY_DATABASE"]);
  const here = new Map([
    ["kafka.internal:9092", kafka.brokers],
    ["8081", String(port)],
  ]);
  const worker = runProgram(
    "src/cli/session-activity.js",
    args.map((arg) => here.get(arg) ?? arg),
    { SESSION_HISTORY_DATABASE: join(folder, "database") },
  );
  const ready = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(ready, { timeout: 60_000 }).toBe(200);
  expect(await worker.stop()).toBe(0);
});

it("the console's page starts consoles: for this machine, and behind a proxy", { timeout: 90_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const folder = mkdtempSync(join(tmpdir(), "docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const database = openSignalDatabase({ url: join(folder, "database"), env: false });
  await createSignalHistory({ database, env: false }).migrate();
  await database.close();
  const [port = 0] = await freePorts(1);
  const here = new Map([
    ["kafka.internal:9092", kafka.brokers],
    ["postgresql://reader@db.internal/history", join(folder, "database")],
    ["8080", String(port)],
  ]);
  const blocks = blocksOf("docs/console.md").filter(({ language }) => language === "sh");
  expect(blocks[0]).toEqual(shellBlock("docs/console.md", "session-activity"));
  const addresses: string[] = [];
  for (const { args } of blocks.flatMap(commandsOf)) {
    const console = runProgram(
      "src/cli/session-activity.js",
      args.map((arg) => here.get(arg) ?? arg),
      {},
    );
    await expect.poll(() => console.stdout, { timeout: 60_000 }).toMatch(/\n/);
    addresses.push(console.stdout);
    expect(await console.stop()).toBe(0);
  }
  expect(addresses).toEqual([
    expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}\n$/),
    "https://console.example/\n",
  ]);
});
