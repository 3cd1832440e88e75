// Tables that must say what the code says.
import { readdirSync } from "node:fs";
import { fromJson, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { defaultInWords } from "../../src/base/options.js";
import { checkOptions } from "../../src/cli/check-arguments.js";
import { cliTroubles } from "../../src/cli/cli-troubles.js";
import { commonOptions, typedForm } from "../../src/cli/command.js";
import { consoleArguments } from "../../src/cli/console-arguments.js";
import { deadLettersOptions } from "../../src/cli/dead-letters-arguments.js";
import { decodeOptions } from "../../src/cli/decode-command.js";
import { doctorOptions } from "../../src/cli/doctor-command.js";
import { csvColumns } from "../../src/cli/event-csv.js";
import { endingMeanings, exitCodes } from "../../src/cli/exit-codes.js";
import { exportOptions } from "../../src/cli/export-command.js";
import { historyOptions } from "../../src/cli/history-arguments.js";
import { showOptions } from "../../src/cli/show-command.js";
import { tailOptions } from "../../src/cli/tail-command.js";
import { consoleTroubles } from "../../src/console/console-troubles.js";
import { gatewayTroubles } from "../../src/gateway/gateway-troubles.js";
import { historyTroubles } from "../../src/history/history-troubles.js";
import { SessionActivityEventSchema, SessionContextSchema, statusName } from "../../src/index.js";
import { kafkaTroubles } from "../../src/kafka/client/kafka-troubles.js";
import { trackingVariables } from "../../src/kafka/environment/kafka-environment.js";
import { advice } from "../../src/kafka/publisher/drop-reason.js";
import { serviceTroubles } from "../../src/service/service-troubles.js";
import { signatureTroubles } from "../../src/signature/signature-troubles.js";
import { spoolTroubles } from "../../src/spool/spool-troubles.js";
import { trailTroubles } from "../../src/trail/trail-troubles.js";
import { at, blocksOf, linesOutsideCode, read } from "./pages.js";

/** The cells of the table rows under a heading, up to the next one. */
function rowsUnder(page: string, heading: string): string[][] {
  const lines = linesOutsideCode(page);
  const start = lines.findIndex((line) => line.replace(/^#+ /, "") === heading);
  expect(start, `${page} has the heading ${heading}`).toBeGreaterThanOrEqual(0);
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith("#"));
  const section = lines.slice(start + 1, length === -1 ? undefined : start + 1 + length);
  const rows = section.filter((line) => line.startsWith("| ")).filter((line) => !line.startsWith("| -"));
  return rows.slice(1).map((row) =>
    row
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** What stands in code type in the first cells. */
const namesUnder = (page: string, heading: string): string[] =>
  rowsUnder(page, heading).flatMap(([first = ""]) => codeIn(first));

const codeIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);

describe("docs/events.md", () => {
  it("shows an event that the schema accepts", () => {
    const json = blocksOf("docs/events.md").filter(({ language }) => language === "json");
    const events = json.map(({ code }) => fromJson(SessionActivityEventSchema, JSON.parse(code)));
    expect(events).toMatchObject([{ status: "DEADLINE_EXCEEDED", handlerStatus: "OK", sequence: 3n }]);
  });

  it("has each field with its number and type", () => {
    const rows = rowsUnder("docs/events.md", "Fields").map(([number, name, type]) => [Number(number), name, type]);
    const fields = SessionActivityEventSchema.fields.map((field) => {
      const { fieldKind, scalar, message } = field;
      const type = fieldKind === "map" ? "map of strings" : (message?.name ?? ScalarType[scalar ?? 0]?.toLowerCase());
      return [field.number, `\`${field.name}\``, type];
    });
    expect(rows).toEqual(fields);
  });

  it("names each status", () => {
    const text = read("docs/events.md").split("## Statuses")[1]!.split("\n## ")[0]!;
    const statuses = Array.from({ length: 17 }, (_, code) => statusName(code));
    expect(codeIn(text)).toEqual(expect.arrayContaining([...statuses, "UNSETTLED"]));
  });

  it.each([
    ["docs/events.md", "Problems"],
    ["docs/trust.md", "What a failed verification does"],
  ])("names each problem, and %s", (page, heading) => {
    const comment = /((?: {2}\/\/.*\n)+) {2}string context_problem/.exec(
      read("proto/sessionactivity/v1/session_activity.proto"),
    );
    expect(namesUnder(page, heading).toSorted()).toEqual(codeIn(comment?.[1] ?? "").toSorted());
  });
});

it("docs/gateway.md has each field of the session context", () => {
  const fields = SessionContextSchema.fields.map(({ localName }) => localName);
  expect(namesUnder("docs/gateway.md", "What a session context holds").slice(0, fields.length)).toEqual(fields);
});

it("docs/configuration.md has each environment variable, with what the code says of it", () => {
  const page = read("docs/configuration.md");
  const texts = trackingVariables.flatMap(({ name, option }) => [
    `\`${name}\``,
    option.meaning,
    option.expects,
    defaultInWords(option),
  ]);
  expect(texts.length).toBeGreaterThan(60);
  const missing = texts.filter((text) => !page.includes(text));
  expect(missing).toEqual([]);
});

it.each([
  ["docs/history-worker.md", historyOptions],
  ["docs/events.md", deadLettersOptions],
  ["docs/terminal.md", tailOptions],
  ["docs/terminal.md", showOptions],
  ["docs/terminal.md", decodeOptions],
  ["docs/terminal.md", exportOptions],
  ["docs/terminal.md", doctorOptions],
  ["docs/trail.md", checkOptions],
  ["docs/console.md", consoleArguments],
])("%s names every option of its command, and says the same of it as the help", (page, options) => {
  const rows = [...options, ...commonOptions].map(
    (option) => `| \`${typedForm(option)}\` | ${option.meaning} | ${option.byDefault} |`,
  );
  const table = ["| Option | Meaning | Default |", "| --- | --- | --- |", ...rows].join("\n");
  expect(read(page)).toContain(table);
});

it("docs/terminal.md has each exit code and each column", () => {
  const page = read("docs/terminal.md");
  const codes = Object.entries(exitCodes).map(([name, code]) => `| ${code} | ${meaningOf(name)} |`);
  expect(page).toContain(["| Exit code | Meaning |", "| --- | --- |", ...codes].join("\n"));
  expect(page).toContain(csvColumns.map((column) => `\`${column}\``).join(", "));
});

function meaningOf(ending: string): string | undefined {
  return Object.entries(endingMeanings).find(([name]) => name === ending)?.[1];
}

const sources = readdirSync(at("src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => read(`src/${path}`))
  .join("\n");

/** The members of an exported interface, without its methods. */
function membersOf(name: string): string[] {
  const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(sources)?.[1] ?? "";
  return [...body.matchAll(/^ {2}readonly (\w+)/gm)].map(([, member]) => member!);
}

/** The texts of an exported union of them, also of those that it names. */
function unionOf(name: string): string[] {
  const body = new RegExp(`export type ${name} =([^;]*);`).exec(sources)?.[1] ?? "";
  const others = [...body.matchAll(/\b[A-Z]\w+/g)].flatMap(([other]) => unionOf(other));
  return [...[...body.matchAll(/"(\w+)"/g)].map(([, text]) => text!), ...others];
}

describe("docs/operations.md", () => {
  const page = "docs/operations.md";

  it.each([
    ["Interceptor", "InterceptorStats"],
    ["Publisher", "PublisherStats"],
    ["Spool", "SpoolStats"],
    ["Runs", "RunStats"],
    ["Gateway", "SessionGatewayStats"],
    ["Guard", "SessionGuardStats"],
    ["Key set", "SessionKeySetStats"],
    ["Consumer", "ConsumerStats"],
    ["Signal history", "SignalHistoryStats"],
  ])("%s has each count of %s", (heading, name) => {
    expect(membersOf(name).length).toBeGreaterThan(1);
    expect(rowsUnder(page, heading).map(([first = ""]) => codeIn(first)[0])).toEqual(membersOf(name));
  });

  it("History worker has each of its counts", () => {
    const compactor = membersOf("CompactorStats").map((member) => `compactor.${member}`);
    const own = membersOf("HistoryWorkerStats").filter((member) => member !== "compactor");
    expect(namesUnder(page, "History worker")).toEqual([...own, ...compactor]);
  });

  it.each([
    ["skipped", "SkipReason"],
    ["unverified", "UnverifiedReason"],
    ["dropped", "DropReason"],
    ["unmarked", "UnmarkedReason"],
    ["invalid", "InvalidReason"],
    ["late", "LateReason"],
    ["notRecorded", "NotRecordedReason"],
  ])("has each reason in %s", (count, name) => {
    expect(unionOf(name).length).toBeGreaterThan(1);
    const documented = namesUnder(page, `Reasons in \`${count}\``);
    expect(documented.toSorted()).toEqual(unionOf(name).toSorted());
  });

  it("has each problem of the JWKS", () => {
    expect(namesUnder(page, "Problems of the JWKS").filter((name) => !/^[A-Z]|Ms$|^kid$/.test(name))).toEqual(
      unionOf("FetchProblem"),
    );
  });

  it("has the reasons that the publisher really uses", () => {
    expect(unionOf("DropReason").toSorted()).toEqual(Object.keys(advice).toSorted());
  });

  it("has each problem of readiness", () => {
    expect(unionOf("ReadinessProblem").length).toBeGreaterThan(3);
    expect(namesUnder(page, "Readiness")).toEqual(unionOf("ReadinessProblem"));
  });

  it("has each problem of a consumer", () => {
    expect(unionOf("ConsumerProblem").length).toBeGreaterThan(3);
    expect(namesUnder(page, "Problems of a consumer")).toEqual(unionOf("ConsumerProblem"));
  });

  it("has each problem of the history worker", () => {
    expect(unionOf("WorkerProblem").length).toBeGreaterThan(5);
    expect(namesUnder(page, "Problems of the worker")).toEqual(unionOf("WorkerProblem"));
  });

  it("has each code of errors", () => {
    expect(unionOf("OptionErrorCode").length).toBeGreaterThan(1);
    expect(namesUnder(page, "Errors at the start")).toEqual(unionOf("OptionErrorCode"));
  });

  it("has each code of errors of the Kafka client", () => {
    expect(unionOf("KafkaClientErrorCode").length).toBeGreaterThan(1);
    expect(namesUnder(page, "Errors of the Kafka client")).toEqual(unionOf("KafkaClientErrorCode"));
  });

  it("has each kind of log line", () => {
    const headings = [
      "a service",
      "a gateway",
      "a spool",
      "the trail",
      "publisher and consumer",
      "a consumer only",
      "history and worker",
      "the console",
    ];
    const documented = headings.flatMap((heading) => namesUnder(page, `From ${heading}`));
    // The types of the logs allow no other kinds.
    const lists = [
      serviceTroubles,
      signatureTroubles,
      gatewayTroubles,
      kafkaTroubles,
      spoolTroubles,
      trailTroubles,
      historyTroubles,
      cliTroubles,
      consoleTroubles,
    ];
    expect(documented.toSorted()).toEqual([...new Set<string>(lists.flat())].toSorted());
  });

  it("is asked for each list of kinds that there is", () => {
    const found = [...sources.matchAll(/export const (\w+Troubles) =/g)].map(([, name]) => name);
    expect(found).toHaveLength(9);
  });
});

it("ARCHITECTURE.md has a row for each folder of src", () => {
  const folders = readdirSync(at("src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const rows = namesUnder("ARCHITECTURE.md", "The layout").filter((name) => name.startsWith("src/"));
  expect(rows.toSorted()).toEqual(folders.map(({ name }) => `src/${name}`).toSorted());
});

it("README.md has each set of versions that is tested", () => {
  const sets = /const sets = \[([\s\S]*?)\n\];/.exec(read("scripts/test-versions.mjs"))?.[1] ?? "";
  const tested = [...sets.matchAll(/node: "([^"]+)",\s+connect: "([^"]+)",\s+protobuf: "([^"]+)"/g)].map((set) =>
    set.slice(1),
  );
  expect(tested.length).toBe([...sets.matchAll(/name: "/g)].length);
  expect(tested.length).toBeGreaterThan(1);
  const rows = rowsUnder("README.md", "Install").map((row) => row.slice(0, 3));
  expect(rows).toEqual(tested);
});
