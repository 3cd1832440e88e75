import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { freePorts } from "../support/free-ports.js";
import { refusalOf } from "../support/refusal.js";
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
  const url = "url must be postgresql://user@host/name, or the path of a folder";
  const wrong: [object, string, string][] = [
    [{ url: "mysql://root:secret@host/db" }, "url", `${url}, got a text of 27 characters`],
    [{ url: "postgresql://root:secret@host:port/db" }, "url", `${url}, got a text of 37 characters`],
    [{ url: "" }, "url", `${url}, got an empty text`],
    [{ url: ["secret"] }, "url", `${url}, got an array`],
    [
      { maxConnections: 0 },
      "maxConnections",
      "maxConnections must be a whole number of connections from 1 to 2147483647, got 0",
    ],
    [{ timeoutMs: -1 }, "timeoutMs", "timeoutMs must be a number of milliseconds from 0 to 2147483647, got -1"],
  ];
  for (const [options, option, message] of wrong) {
    const refusal = refusalOf(() => openSignalDatabase({ url: "/tmp/x", ...options }));
    expect(refusal).toMatchObject({ message, option, code: "ERR_OPTION_INVALID" });
  }
});
