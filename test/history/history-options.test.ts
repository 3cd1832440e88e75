import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { historySettings } from "../../src/history/history-options.js";
import { createSignalHistory, openSignalDatabase, type SignalDatabase } from "../../src/history/index.js";
import { refusalOf } from "../support/refusal.js";
import { eventOf } from "./history-fixtures.js";

const database: SignalDatabase = { query: () => Promise.resolve({ rows: [] }) };

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "history-options-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

function keyFile(content: string): string {
  const file = join(folder(), "key");
  writeFileSync(file, content);
  return file;
}

describe("a history's options", () => {
  it("come from the environment if code does not say them, and win over it if it does", () => {
    const env = {
      SESSION_HISTORY_SCHEMA: "of_env",
      SESSION_HISTORY_REQUIRE_VERIFIED: "true",
      SESSION_HISTORY_LATENESS_MS: "3456000000",
      SESSION_HISTORY_TOMBSTONE_KEY_FILE: keyFile("0123456789abcdef\n"),
    };
    const byEnv = historySettings({ database, env });
    expect(byEnv).toMatchObject({ schema: "of_env", requireVerified: true, latenessMs: 3_456_000_000 });
    expect(byEnv.tombstones?.keyId).toBe(
      historySettings({ database, tombstoneKey: "0123456789abcdef", env: false }).tombstones?.keyId,
    );
    const byCode = historySettings({ database, env, schema: "of_code", tombstoneKey: "another key of code" });
    expect(byCode).toMatchObject({ schema: "of_code", requireVerified: true });
    expect(byCode.tombstones?.keyId).not.toBe(byEnv.tombstones?.keyId);
  });

  it("read the process's environment by default, and none with env: false", () => {
    vi.stubEnv("SESSION_HISTORY_SCHEMA", "of_the_process");
    expect(historySettings({ database }).schema).toBe("of_the_process");
    expect(historySettings({ database, env: false })).toMatchObject({
      schema: "signal_history",
      latenessMs: 86_400_000,
    });
    vi.unstubAllEnvs();
  });

  it.each([
    [{ SESSION_HISTORY_SCHEMA: "A" }, 'is "A", expected 1 to 48 of a-z'],
    [{ SESSION_HISTORY_LATENESS_MS: "1d" }, 'is "1d", expected a number of milliseconds from 0 to 315360000000'],
    [{ SESSION_HISTORY_TOMBSTONE_KEY_FILE: "/no/such" }, 'is "/no/such", expected the path of a readable file'],
  ])("refuse what is wrong there: %o", (env, message) => {
    const [name = ""] = Object.keys(env);
    const refusal = refusalOf(() => createSignalHistory({ database, env }));
    expect(refusal.message).toContain(`- ${name} ${message}`);
    expect(refusal).toMatchObject({ code: "ERR_ENVIRONMENT_INVALID", option: name });
  });

  it("show nothing of a key file that is too short", () => {
    const env = { SESSION_HISTORY_TOMBSTONE_KEY_FILE: keyFile("hunter2") };
    expect(refusalOf(() => createSignalHistory({ database, env })).message).not.toContain("hunter2");
  });

  it("do not choose a path as the key", () => {
    const env = { SESSION_HISTORY_TOMBSTONE_KEY_FILE: "/a/path/of/more/than/16/bytes" };
    expect(refusalOf(() => createSignalHistory({ database, env })).code).toBe("ERR_ENVIRONMENT_INVALID");
  });
});

describe("a database's options", () => {
  it("come from the environment, and so does the database of a history without one", { timeout: 60_000 }, async () => {
    const url = join(folder(), "database");
    const history = createSignalHistory({ env: { SESSION_HISTORY_DATABASE: url }, log: false });
    await history.migrate();
    await history.record(eventOf({ id: "a", at: 1, country: "DE" }));
    await history.close();
    const same = openSignalDatabase({ env: { SESSION_HISTORY_DATABASE: url } });
    onTestFinished(() => same.close());
    expect(await createSignalHistory({ database: same, env: false }).triggeredBy("a")).toHaveLength(1);
  });

  it("win over the environment", async () => {
    const env = { SESSION_HISTORY_DATABASE: "postgresql://of-env:1/none", SESSION_HISTORY_TIMEOUT_MS: "1" };
    const given = openSignalDatabase({ url: "postgresql://127.0.0.1:1/none", timeoutMs: 5_000, env });
    onTestFinished(() => given.close());
    await expect(given.query("select 1")).rejects.toThrow("ECONNREFUSED");
  });

  it.each([
    [{ SESSION_HISTORY_DATABASE: "mysql://u:hunter2@h/d" }, "is a secret, expected postgresql://"],
    [{ SESSION_HISTORY_MAX_CONNECTIONS: "0" }, 'is "0", expected a whole number of connections'],
    [{ SESSION_HISTORY_TIMEOUT_MS: "x" }, 'is "x", expected a number of milliseconds'],
  ])("refuse what is wrong there: %o", (env, message) => {
    const refusal = refusalOf(() => openSignalDatabase({ env }));
    expect(refusal.message).toContain(message);
    expect(refusal.message).not.toContain("hunter2");
    expect(refusal.code).toBe("ERR_ENVIRONMENT_INVALID");
  });
});
