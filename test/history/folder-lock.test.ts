import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { openSignalDatabase } from "../../src/history/index.js";

const compiled = fileURLToPath(new URL("../../dist", import.meta.url));
const script = fileURLToPath(new URL("folder-holder.mjs", import.meta.url));

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "history-"));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  folder = join(parent, "data");
});

/** Another process that locks the folder, or runs a statement in its database, and lives on. */
async function startHolder(work: string): Promise<{ said: string; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [script, compiled, work, folder], { stdio: ["pipe", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exit;
  };
  onTestFinished(kill);
  const [said] = (await once(createInterface(child.stdout), "line")) as [string];
  return { said, kill };
}

const locks = () => readdirSync(folder).filter((name) => name.includes("lock"));

test("a folder that another process has open is refused, and opens when that one was killed", {
  timeout: 120_000,
}, async () => {
  const holder = await startHolder("create table kept as select 1 as n");
  expect(holder.said).toBe("has it");
  const database = openSignalDatabase({ url: folder });
  onTestFinished(() => database.close());
  await expect(database.query("select 1")).rejects.toMatchObject({
    code: "EBUSY",
    message: `the folder ${folder} is open already: one process at a time may have it`,
  });
  await holder.kill();
  expect(await database.query("select n from kept")).toMatchObject({ rows: [{ n: 1 }] });
  expect((await startHolder("select 1")).said).toBe(
    `EBUSY: the folder ${folder} is open already: one process at a time may have it`,
  );
  await database.close();
  expect(locks()).toEqual([]);
  await expect(database.query("select 1")).rejects.toThrow("closed");
});

test("two databases in one process do not share a folder either", { timeout: 60_000 }, async () => {
  const [first, second] = [openSignalDatabase({ url: folder }), openSignalDatabase({ url: folder })];
  onTestFinished(() => second.close());
  await first.query("select 1");
  await expect(second.query("select 1")).rejects.toMatchObject({ code: "EBUSY" });
  const third = openSignalDatabase({ url: folder });
  await expect(third.query("select 1")).rejects.toMatchObject({ code: "EBUSY" });
  await third.close();
  await first.close();
  expect(await second.query("select 1 as n")).toMatchObject({ rows: [{ n: 1 }] });
});

test("of many that come at once after one that was killed, one gets the folder", { timeout: 60_000 }, async () => {
  // Longer than the address of a socket may be.
  folder = join(parent, "x".repeat(120));
  mkdirSync(folder);
  const dead = await startHolder("lock");
  await dead.kill();
  expect(locks()).toHaveLength(1);
  const holders = await Promise.all(Array.from({ length: 6 }, () => startHolder("lock")));
  expect(holders.filter(({ said }) => said === "has it")).toHaveLength(1);
  expect(holders.filter(({ said }) => said.startsWith("EBUSY: "))).toHaveLength(5);
  expect(locks()).toHaveLength(1);
});
