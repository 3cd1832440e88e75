import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { cliTroubles } from "../../src/cli/cli-troubles.js";
import { consoleTroubles } from "../../src/console/console-troubles.js";
import { gatewayTroubles } from "../../src/gateway/gateway-troubles.js";
import { historyTroubles } from "../../src/history/history-troubles.js";
import { kafkaTroubles } from "../../src/kafka/client/kafka-troubles.js";
import { serviceTroubles } from "../../src/service/service-troubles.js";
import { signatureTroubles } from "../../src/signature/signature-troubles.js";

const src = fileURLToPath(new URL("../../src", import.meta.url));
const lists: Readonly<Record<string, readonly string[]>> = {
  kafka: kafkaTroubles,
  history: historyTroubles,
  signature: signatureTroubles,
  cli: cliTroubles,
  console: consoleTroubles,
  service: serviceTroubles,
  gateway: gatewayTroubles,
};

interface Report {
  readonly file: string;
  readonly room: string;
  /** A literal kind, or one that a template makes, with `*` for each of its holes. */
  readonly kind: string;
}

/** What each call of `warn` and `error` on a trouble log gives as the kind, if it stands there. A variable does not. */
function reportsIn(file: string): readonly Report[] {
  const room = file.split("/")[0] ?? "";
  const calls = readFileSync(join(src, file), "utf8").matchAll(
    /(?:[lL]og(?:\(\w*\))?\.(?:warn|error)|[lL]og\[level\]|#report)\(\s*(?:item\w*(?:\[0\])?, |\{ record \}, )?(?:"([^"]*)"|`([^`]*)`)/g,
  );
  return [...calls].map(([, literal, template]) => ({
    file,
    room,
    kind: literal ?? template?.replaceAll(/\$\{\w+\}/g, "*") ?? "",
  }));
}

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const reports = files.flatMap(reportsIn);

test("each kind is words in snake_case, and so cannot be a text of someone else's", () => {
  expect(reports.length).toBeGreaterThan(25);
  const all = [...Object.values(lists).flat(), ...reports.map(({ kind }) => kind)];
  expect(all.filter((kind) => !/^[a-z]+(_([a-z]+|\*))*$/.test(kind))).toEqual([]);
});

test("no kind is listed twice", () => {
  const all = Object.values(lists).flat();
  expect(all.filter((kind, index) => all.indexOf(kind) < index)).toEqual([]);
});

describe.each(Object.entries(lists))("the kinds of src/%s", (room, list) => {
  const own = reports.filter((report) => report.room === room);
  const matches = (kind: string, used: string): boolean =>
    kind === used || (used.endsWith("*") && kind.startsWith(used.slice(0, -1)));

  test("are all listed", () => {
    expect(own.filter(({ kind }) => !list.some((listed) => matches(listed, kind)))).toEqual([]);
  });

  test("are all used", () => {
    const source = files
      .filter((file) => file.startsWith(`${room}/`) && !file.endsWith("-troubles.ts"))
      .map((file) => readFileSync(join(src, file), "utf8"))
      .join("\n");
    const unused = list.filter(
      (kind) => !source.includes(`"${kind}"`) && !own.some(({ kind: used }) => matches(kind, used)),
    );
    // These are made of the name that librdkafka gives them.
    expect(unused.filter((kind) => !kind.startsWith("kafka_client_"))).toEqual([]);
  });

  test("are checked by the compiler: no log in the room takes any text", () => {
    const untyped = files.filter((file) => {
      const isOptions = /-options\.ts$|^kafka\/(start|embedded)\.ts$/.test(file);
      return (
        file.startsWith(`${room}/`) && !isOptions && /: TroubleLog\b(?!<)/.test(readFileSync(join(src, file), "utf8"))
      );
    });
    expect(untyped).toEqual([]);
  });
});
