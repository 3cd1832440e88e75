import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished } from "vitest";
import { SessionActivityEventSchema } from "../src/index.js";
import { environmentTable } from "../src/kafka/environment.js";
import { createKafkaPublisher, startEmbeddedKafka } from "../src/kafka/index.js";
import { eventOf } from "./history/fixtures.js";
import { accountClient, eventually, marks } from "./support/account-server.js";

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const readme = readFileSync(at("README.md"), "utf8");

/** The code blocks that say which file they are from. */
const blocks = [...readme.matchAll(/<!-- (examples\/\S+) -->\n```ts\n([\s\S]*?)```/g)].map(([, file, code]) => ({
  file,
  code,
}));

describe("the README's code", () => {
  it.each(blocks)("is that of $file", ({ file, code }) => {
    expect(readFileSync(at(file!), "utf8")).toContain(code);
  });

  it("has no block that nothing runs", () => {
    expect(blocks).toHaveLength(4);
    expect(readme.match(/```ts/g)).toHaveLength(blocks.length);
  });

  it("works: service and reader as two processes", { timeout: 60_000 }, async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const port = await freePort();
    const env = { SESSION_TRACKING_SERVICE: "account-service", SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers };
    const service = run("quickstart/service.js", { ...env, PORT: String(port) });
    const reader = run("quickstart/reader.js", env);
    const server = { port, baseUrl: `http://127.0.0.1:${port}`, close: () => Promise.resolve() };
    const call = (): Promise<string> =>
      accountClient(server)
        .changePassword({ oldPassword: "guess" }, { headers: marks("c2Vzc2lvbi0x", "change_password") })
        .then(
          () => "OK",
          (error: unknown) => Code[ConnectError.from(error).code] ?? "",
        );
    await expect.poll(call, { timeout: 20_000 }).toBe("PermissionDenied");
    await eventually(() => reader.output().includes("account-service change_password PERMISSION_DENIED"), 30_000);
    expect(await service.stop()).toBe(0);
    expect(await reader.stop()).toBe(0);
    expect(service.output()).not.toContain("connect-session-activity");
  });

  it("works: the signal history as a process", { timeout: 90_000 }, async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const folder = mkdtempSync(join(tmpdir(), "readme-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { brokers } = kafka;
    const reader = run("quickstart/history.js", {
      SESSION_TRACKING_KAFKA_BROKERS: brokers,
      DATABASE_URL: join(folder, "database"),
    });
    // One key, so one partition: they come in their order.
    const publisher = createKafkaPublisher({ brokers, key: () => "session-1" });
    publisher.publish(eventOf({ id: "a", at: 1_000, country: "DE" }));
    publisher.publish(eventOf({ id: "b", at: 2_000, country: "FR" }));
    await publisher.close();
    await eventually(() => reader.output().includes("action-b changed country from DE to FR"), 60_000);
    expect(reader.output()).toContain("action-a changed country from nothing to DE");
    expect(await reader.stop()).toBe(0);
  });
});

it("shows an event that the schema accepts", () => {
  const json = /```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const event = fromJson(SessionActivityEventSchema, JSON.parse(json));
  expect(event).toMatchObject({ status: "DEADLINE_EXCEEDED", handlerStatus: "OK", sequence: 3n });
});

it("has the table of environment variables that the code has", () => {
  const rows = environmentTable().map(
    ({ name, expects, byDefault, meaning }) => `| \`${name}\` | ${meaning} | ${expects} | ${byDefault} |`,
  );
  const table = ["| Variable | Meaning | Value | Default |", "| --- | --- | --- | --- |", ...rows].join("\n");
  expect(readme).toContain(table);
});

function run(script: string, env: Record<string, string>) {
  const child: ChildProcess = spawn(process.execPath, [at(`dist/examples/${script}`)], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += String(chunk)));
  child.stderr?.on("data", (chunk) => (output += String(chunk)));
  const exit = new Promise<number | null>((resolve) => child.on("exit", resolve));
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    output: () => output,
    stop() {
      child.kill("SIGTERM");
      return exit;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
