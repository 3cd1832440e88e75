import { describe, expect, it } from "vitest";
import { readArguments, usage } from "../../bench/bench-arguments.js";
import { groups } from "../../bench/groups.js";
import type { Group } from "../../bench/kit/group.js";
import {
  fillBlock,
  isForPage,
  isTrusted,
  type RunStamp,
  stampInMarkdown,
  type Table,
  tableInMarkdown,
} from "../../bench/kit/report.js";
import { read } from "../docs/pages.js";

const stamp: RunStamp = {
  command: "npm run bench",
  machine: "2 cores",
  versions: "Node 24",
  at: "2026-11-27",
  outsideShare: 0.013,
  busyMachineAllowed: false,
  isQuick: false,
  problems: [],
};
const table: Table = {
  title: "Calls",
  columns: [{ title: "µs", digits: 1 }],
  rows: [{ name: "one", cells: [{ median: 1_234.56, low: 1, high: 2 }] }],
  trust: { isTrusted: true, reason: "the A/A pair is at 1.001" },
};
const doubtful: Table = { ...table, trust: { isTrusted: false, reason: "the A/A pair is at 1.100" } };

describe("a table", () => {
  it("shows medians with their bounds", () => {
    expect(tableInMarkdown(table)).toContain("| one | 1,234.6 (1.0 to 2.0) |");
    expect(tableInMarkdown(table)).toContain("Checked: the A/A pair is at 1.001.");
  });

  it("says so loudly if it cannot be believed", () => {
    expect(tableInMarkdown(doubtful)).toContain("**NOT TRUSTWORTHY: the A/A pair is at 1.100.");
    expect(isTrusted(doubtful)).toBe(false);
  });
});

describe("the stamp", () => {
  it("tells what others used", () => expect(stampInMarkdown(stamp)).toContain("others used up to 1.3 % of the CPU"));
  it("tells that a busy machine was allowed", () => {
    expect(stampInMarkdown({ ...stamp, busyMachineAllowed: true })).toContain("only a trial");
  });
  it("tells what was not measured", () => {
    expect(stampInMarkdown({ ...stamp, problems: ["others were busy"] })).toContain("**Not complete: others");
  });
});

describe("the page", () => {
  const page = "before\n<!-- bench x -->\nold\n<!-- /bench x -->\nafter\n";

  it("gets a group's tables into its block", () => {
    const filled = fillBlock(page, stamp, { name: "x", tables: [table] });
    expect(filled).toMatch(
      /^before\n<!-- bench x -->\n\n`npm run bench`.*\| one \|.*\n\n<!-- \/bench x -->\nafter\n$/s,
    );
    expect(filled).not.toContain("old");
    expect(fillBlock(filled, stamp, { name: "x", tables: [table] })).toBe(filled);
  });

  it("gets nothing that cannot be trusted", () => {
    const filled = fillBlock(page, stamp, { name: "x", tables: [{ ...doubtful, title: "Doubtful" }, table] });
    expect(filled).toContain("**Doubtful**: left out");
    expect(filled.match(/\| one \|/g)).toHaveLength(1);
    expect(isForPage({ name: "x", tables: [table], page: [doubtful] })).toBe(false);
  });

  it("must have the block", () => {
    expect(() => fillBlock(page, stamp, { name: "y", tables: [] })).toThrow("no block");
  });

  it.each(groups.map(({ name }) => name))("has a block for %s", (name) => {
    expect(() => fillBlock(read("docs/performance.md"), stamp, { name, tables: [] })).not.toThrow();
  });
});

describe("the arguments", () => {
  const some = [{ name: "a" }, { name: "b", isOnDemand: true }] as unknown as readonly Group[];

  it("without names mean all that need not be named", () => {
    expect(readArguments([], some)).toMatchObject({ kind: "options", groups: [{ name: "a" }], isQuick: false });
  });
  it("name what is to be measured", () => {
    expect(readArguments(["b", "--quick"], some)).toMatchObject({ groups: [{ name: "b" }], isQuick: true });
  });
  it.each([[["c"]], [["--fast"]]])("are refused if they mean nothing: %j", (given) => {
    expect(readArguments(given, some)).toMatchObject({ kind: "wrong" });
  });
  it("are explained", () => {
    for (const { name } of groups) expect(usage(groups)).toContain(name);
  });
});
