// The examples of README, docs/events.md and docs/history.md, as processes.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { createEventRecord } from "../../src/index.js";
import { createKafkaPublisher, startEmbeddedKafka } from "../../src/kafka/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { marks } from "../support/account-server.js";
import { freePorts } from "../support/free-ports.js";
import type { Program } from "../support/program.js";
import { until } from "../support/until.js";
import { changePassword, run } from "./calls.js";
import { at, commandsOf, shellBlock } from "./pages.js";

it("service and reader as two processes, called as the README says", { timeout: 60_000 }, async () => {
  const commands = commandsOf(shellBlock("README.md", "node")).filter(({ program }) => program === "node");
  const lines = shellBlock("README.md", "node").code.split("\n");
  const brokers = await printedBrokers(lines.find((line) => line.startsWith("node -e ")) ?? "");
  const [port = 0] = await freePorts(1);
  /** Runs a program with what the README says, and the address that it says to give. */
  const runAsWritten = (script: string): Program => {
    const command = commands.find(({ args }) => args.includes(`dist/examples/${script}`));
    expect(command?.env["SESSION_TRACKING_KAFKA_BROKERS"]).toBe("localhost:9092");
    return run(script, { ...command?.env, SESSION_TRACKING_KAFKA_BROKERS: brokers, PORT: String(port) });
  };
  const service = runAsWritten("quickstart/service.js");
  const reader = runAsWritten("quickstart/reader.js");
  const call = () => changePassword(port, "2", marks("c2Vzc2lvbi0x"));
  await expect.poll(call, { timeout: 20_000 }).toBe("PermissionDenied");
  const event = "account-service change_password PERMISSION_DENIED";
  await until(() => reader.output().includes(event), reader.output, 30_000);

  const before = reader.output().split(event).length;
  const command = shellBlock("README.md", "curl").code.replace("localhost:8080", `127.0.0.1:${port}`);
  const { stdout } = await promisify(execFile)("sh", ["-c", command]);
  expect(JSON.parse(stdout)).toMatchObject({ code: "permission_denied" });
  await until(() => reader.output().split(event).length > before, reader.output, 30_000);

  expect(await service.stop()).toBe(0);
  expect(await reader.stop()).toBe(0);
  expect(service.output()).not.toContain("connect-session-activity");
});

it("the signal history as a process", { timeout: 90_000 }, async () => {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const folder = mkdtempSync(join(tmpdir(), "docs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { brokers } = kafka;
  const reader = run("quickstart/history.js", {
    SESSION_TRACKING_KAFKA_BROKERS: brokers,
    DATABASE_URL: join(folder, "database"),
  });
  // One key, so one partition: they come in their order.
  const publisher = createKafkaPublisher({ brokers, key: () => "session-1" });
  publisher.publish(createEventRecord(eventOf({ id: "a", at: 1_000, country: "DE" })));
  publisher.publish(createEventRecord(eventOf({ id: "b", at: 2_000, country: "FR" })));
  await publisher.close();
  await until(() => reader.output().includes("action-b changed country from DE to FR"), reader.output, 60_000);
  expect(reader.output()).toContain("action-a changed country from nothing to DE");
  expect(await reader.stop()).toBe(0);
});

/** Starts the Kafka of the README, until the test is over. Resolves to the address that it prints. */
async function printedBrokers(command: string): Promise<string> {
  const kafka = spawn("sh", ["-c", `exec ${command}`], { cwd: at("."), stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void kafka.kill("SIGKILL"));
  let output = "";
  kafka.stdout.on("data", (chunk) => (output += String(chunk)));
  const address = () => /brokers: '([^']+)'/.exec(output)?.[1];
  await until(
    () => address() !== undefined,
    () => output,
    20_000,
  );
  return address() ?? "";
}
