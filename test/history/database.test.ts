import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { freePorts } from "../support/free-ports.js";
import { eventOf } from "./history-fixtures.js";
import { linesOf } from "./model.js";

it("keeps a history in a folder", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "history-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [id, country] of [
    ["a", "DE"],
    ["b", "FR"],
  ] as const) {
    const database = openSignalDatabase({ url: join(folder, "database") });
    const history = createSignalHistory({ database });
    await history.migrate();
    await history.record(eventOf({ id, at: id === "a" ? 1 : 2, country }));
    if (id === "b") expect(await linesOf(history, "session-1")).toEqual(["country=DE by a", "country=FR by b"]);
    await database.close();
    await database.close();
  }
});

it("does not connect to a server before it is asked, and says then that there is none", async () => {
  const [port] = await freePorts(1);
  const database = openSignalDatabase({ url: `postgresql://user:secret@127.0.0.1:${port}/none` });
  const error: unknown = await createSignalHistory({ database })
    .migrate()
    .catch((reason: unknown) => reason);
  expect(String(error)).toContain("ECONNREFUSED");
  expect(String(error)).not.toContain("secret");
  await database.close();
  await database.close();
});

it("refuses other addresses, and does not repeat what is in them", () => {
  expect(() => openSignalDatabase({ url: "mysql://root:secret@host/db" })).toThrow(
    'url must be postgresql://…, or a path, got "mysql://…"',
  );
  expect(() => openSignalDatabase({ url: "" })).toThrow("url must be an address or a path");
  expect(() => openSignalDatabase({ url: "/tmp/x", maxConnections: 0 })).toThrow(
    "maxConnections must be a whole number",
  );
  expect(() => openSignalDatabase({ url: "/tmp/x", timeoutMs: -1 })).toThrow("timeoutMs must be a duration");
});
