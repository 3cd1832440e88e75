// `session-activity set-aside`, as somebody types it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { expect, onTestFinished, test } from "vitest";
import { readSetAsideArguments } from "../../src/cli/set-aside-arguments.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { SessionActivityEventSchema } from "../../src/index.js";
import { runProgram } from "../support/program.js";
import { refusalOf } from "../support/refusal.js";
import { changesIn, changesOf, sessionEvents } from "./cli-fixtures.js";

const run = (args: readonly string[]) => runProgram("src/cli/session-activity.js", ["set-aside", ...args], {});

test("lists what was set aside without what is in it, and tries it again", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "set-aside-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const url = join(folder, "database");
  const events = sessionEvents(3);
  const database = openSignalDatabase({ url, env: false });
  const history = createSignalHistory({ database, env: false });
  await history.migrate();
  for (const [offset, event] of events.entries()) {
    const value = toBinary(SessionActivityEventSchema, event);
    await history.setAside({ topic: "t", partition: 2, offset, value }, "22P02");
  }
  await history.setAside({ topic: "t", partition: 2, offset: 3, value: Buffer.from("no event") }, "undecodable");
  await database.close();

  const listed = run(["list", "--database", url]);
  expect(await listed.exit).toBe(0);
  expect(listed.stdout.replaceAll(/^20\S+Z /gm, "")).toBe(
    [
      ...events.map(({ eventId }, offset) => `t/2@${offset} "22P02" (event "${eventId}")`),
      't/2@3 "undecodable" (no event; its bytes are not kept)',
      "Set aside: 4",
      "",
    ].join("\n"),
  );
  expect(listed.stdout).not.toMatch(/session-\d|"DE"|phone/);

  const retried = run(["retry", "--database", url]);
  expect(await retried.exit).toBe(0);
  expect(retried.stdout).toBe("Recorded: 3, kept: 1\n");
  const after = openSignalDatabase({ url, env: false });
  onTestFinished(() => after.close());
  expect(await changesIn(after)).toEqual(changesOf(events));
});

test("ends with 1 and the reason if the database is away, and with 2 for wrong arguments", {
  timeout: 60_000,
}, async () => {
  const away = run(["list", "--database", "postgresql://127.0.0.1:1/none"]);
  expect(await away.exit).toBe(1);
  expect(away.stderr).toMatch(/^session-activity set-aside: .*ECONNREFUSED/);
  const wrong = run(["lst"]);
  expect(await wrong.exit).toBe(2);
  expect(wrong.stderr).toMatch(
    /^session-activity set-aside: the word after set-aside must be list or retry, got "lst"/,
  );
  const help = run(["--help"]);
  expect(await help.exit).toBe(0);
  expect(help.stdout).toMatch(/^Usage: session-activity set-aside list\|retry /);
});

test("takes arguments on top of the environment, and no password", () => {
  const env = { SESSION_HISTORY_DATABASE: "postgresql://u:p@h/d", SESSION_HISTORY_SCHEMA: "beneath" };
  expect(readSetAsideArguments(["list"], env)).toMatchObject({
    action: "list",
    address: { url: env.SESSION_HISTORY_DATABASE },
    history: { schema: "beneath" },
  });
  expect(readSetAsideArguments(["retry", "--schema", "above"], env)).toMatchObject({ history: { schema: "above" } });
  const refusals: [string[], string][] = [
    [[], "set-aside"],
    [["list", "--brokers", "h:1"], "--brokers"],
    [["list", "--database", "postgresql://u:p@h/d"], "--database"],
  ];
  for (const [args, option] of refusals) {
    expect(refusalOf(() => readSetAsideArguments(args, env))).toMatchObject({ option });
  }
  expect(refusalOf(() => readSetAsideArguments(["list"], {}))).toMatchObject({ option: "--database" });
});
