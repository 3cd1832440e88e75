import { Code } from "@connectrpc/connect";
import { groupBy } from "../support/group-by.js";
import type { SettingName } from "./plan.js";
import { cancelled, deadlineExceeded, type Found, type Row } from "./rows.js";

/** Bounds of the issue. */
const leastLeavings = 3_000;
const mostFlaggedFar = 0.1;
/** By how much shares may be larger in a short run. */
const shortRunFactor = 5;
/** A client that is stopped before it sends has lost time that no server sees. */
const mostByStoppedClients = 0.005;
const mostWrongOnCold = 0.01;
const mostWrongInLong = 0.05;

/** What is counted of a group of rows. */
export interface Counts {
  leavings: number;
  wrongDeadlines: { flagged: number; unflagged: number };
  wrongCancellations: { flagged: number; unflagged: number };
  /** What the former rule gets wrong of the same leavings. */
  former: { deadlines: number; cancellations: number };
  resets: number;
  resetsFlagged: number;
  flagged: number;
  missing: number;
  doubled: number;
  /** Events that say something else than the caller saw, and not of a caller that left. */
  otherwiseWrong: { flagged: number; unflagged: number };
  /** Cases of which no request came to Node, and requests that did not come to the interceptor. */
  unsent: number;
  unreached: number;
}

const names: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(Code)
    .filter(([, code]) => typeof code === "number")
    .map(([name, code]) => [name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase(), Number(code)]),
);

/** gRPC's number of an event's status. */
export function codeOfStatus(status: string): number {
  if (status === "OK") return 0;
  return status === "CANCELLED" ? cancelled : (names[status] ?? -1);
}

/** Whether the caller left, at its deadline or by cancelling. */
export function isLeaving({ seen, events }: Row): boolean {
  return events.length > 0 && (seen?.code === cancelled || seen?.code === deadlineExceeded);
}

function isFlagged({ events }: Row): boolean {
  return events.at(-1)?.inferred ?? false;
}

/** What an event got wrong, if it did. */
export function wrongKind(row: Row): "deadline" | "cancellation" | "other" | undefined {
  const { seen, events } = row;
  const event = events.at(-1);
  if (seen === undefined || event === undefined) return undefined;
  const code = codeOfStatus(event.status);
  if (code === seen.code) return undefined;
  if (seen.code === deadlineExceeded && code === cancelled) return "deadline";
  if (seen.code === cancelled && code === deadlineExceeded) return "cancellation";
  return "other";
}

/** Counts a group of rows. */
export function count(rows: readonly Row[]): Counts {
  const counts: Counts = {
    leavings: 0,
    wrongDeadlines: { flagged: 0, unflagged: 0 },
    wrongCancellations: { flagged: 0, unflagged: 0 },
    former: { deadlines: 0, cancellations: 0 },
    resets: 0,
    resetsFlagged: 0,
    flagged: 0,
    missing: 0,
    doubled: 0,
    otherwiseWrong: { flagged: 0, unflagged: 0 },
    unsent: 0,
    unreached: 0,
  };
  for (const row of rows) add(counts, row);
  return counts;
}

function add(counts: Counts, row: Row): void {
  const flag = isFlagged(row) ? "flagged" : "unflagged";
  const wrong = wrongKind(row);
  if (wrong === "deadline") counts.wrongDeadlines[flag] += 1;
  if (wrong === "cancellation") counts.wrongCancellations[flag] += 1;
  if (wrong === "other") counts.otherwiseWrong[flag] += 1;
  counts.missing += Math.max(0, row.reached - row.events.length);
  counts.doubled += Math.max(0, row.events.length - row.reached);
  counts.unreached += row.requests - row.reached;
  if (row.requests === 0) counts.unsent += 1;
  if (!isLeaving(row)) return;
  counts.leavings += 1;
  if (isFlagged(row)) counts.flagged += 1;
  if (row.evidence?.leaving.resetCode !== undefined) {
    counts.resets += 1;
    if (isFlagged(row)) counts.resetsFlagged += 1;
  }
  const { formerCode, seen } = row;
  if (formerCode === undefined || formerCode === seen?.code) return;
  if (formerCode === cancelled) counts.former.deadlines += 1;
  else counts.former.cancellations += 1;
}

const columns = [
  "setting",
  "client",
  "leavings",
  "wrong deadlines: unflagged, flagged (former rule)",
  "wrong cancellations: unflagged, flagged (former rule)",
  "flagged",
  "flagged of RST",
  "otherwise wrong: unflagged, flagged",
  "missing",
  "doubled",
  "not sent",
  "not reached",
];

/** The table of all settings and clients. */
export function table(found: ReadonlyMap<SettingName, Found>): string {
  const lines = [columns, columns.map(() => "---")];
  for (const [setting, { rows }] of found) {
    const groups = groupBy(rows, ({ client, via }) => (via === "direct" ? client : `${client} via ${via}`));
    for (const [name, group] of [...groups].sort(([one], [other]) => one.localeCompare(other)))
      lines.push(cells(setting, name, count(group)));
    lines.push(cells(setting, "all", count(rows)));
  }
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}

function cells(setting: string, name: string, counts: Counts): string[] {
  const { wrongDeadlines, wrongCancellations, former } = counts;
  return [
    setting,
    name,
    counts.leavings,
    `${wrongDeadlines.unflagged}, ${wrongDeadlines.flagged} (${former.deadlines})`,
    `${wrongCancellations.unflagged}, ${wrongCancellations.flagged} (${former.cancellations})`,
    percent(counts.flagged, counts.leavings),
    `${percent(counts.resetsFlagged, counts.resets)} of ${counts.resets}`,
    `${counts.otherwiseWrong.unflagged}, ${counts.otherwiseWrong.flagged}`,
    counts.missing,
    counts.doubled,
    counts.unsent,
    counts.unreached,
  ].map(String);
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((part / whole) * 100).toFixed(1)} %`;
}

/** One thing that must hold. */
export interface Check {
  readonly name: string;
  /** Absent if it holds. */
  readonly failure?: string;
}

/**
 * What must hold in one setting. In a short run, shares of few cases say little: it bears one status that is wrong and
 * unflagged, from a machine that stood still for a moment, and shares that are larger. Only a full run asks for how many leave.
 */
export function checks(setting: SettingName, found: Found, isFull: boolean): Check[] {
  const { rows, stats } = found;
  const all = count(rows);
  const spare = isFull ? 0 : 1;
  const others = otherwise(rows);
  const unflagged = all.wrongDeadlines.unflagged + all.wrongCancellations.unflagged;
  const list = [
    check(
      `${setting}: no status of a leaving is wrong and unflagged`,
      unflagged <= spare + all.leavings * (setting === "busy-client" ? mostByStoppedClients : 0),
      `${unflagged} of ${all.leavings} are`,
    ),
    check(`${setting}: no other status is wrong and unflagged`, others.count <= spare, others.list),
    check(`${setting}: no event is missing`, all.missing === 0, `${all.missing} are`),
    check(`${setting}: no event is doubled`, all.doubled === 0, `${all.doubled} are`),
    check(`${setting}: every client says what its callers saw`, ...answered(rows)),
    check(`${setting}: what made no event is counted`, ...counted(all, stats)),
  ];
  if (isFull) {
    const enough = all.leavings >= leastLeavings;
    list.push(check(`${setting}: at least ${leastLeavings} callers leave`, enough, `${all.leavings} did`));
  }
  if (setting === "quiet") list.push(farFromDeadlines(rows));
  const factor = isFull ? 1 : shortRunFactor;
  return [...list, ...coldChecks(setting, rows, factor), ...longChecks(setting, rows, factor)];
}

/** A flag that stands everywhere says nothing: one that is far from every deadline needs another reason. */
function farFromDeadlines(rows: readonly Row[]): Check {
  const far = rows.filter(
    ({ seen, evidence, deadlineMs = Infinity, cancelShare = 0 }) =>
      seen?.code === 1 &&
      evidence?.leaving.way === "reset" &&
      evidence.leaving.resetCode === 8 &&
      deadlineMs >= 1_000 &&
      cancelShare <= 0.9,
  );
  const flagged = far.filter(isFlagged).length;
  const name = "quiet: few cancellations far from their deadline are flagged";
  return check(name, flagged <= far.length * mostFlaggedFar, `${percent(flagged, far.length)} of ${far.length} are`);
}

function check(name: string, holds: boolean, failure: string): Check {
  return holds ? { name } : { name, failure };
}

function answered(rows: readonly Row[]): [boolean, string] {
  const silent = rows.filter(({ seen }) => seen === undefined || seen.code === -1);
  const [first] = silent;
  return [silent.length === 0, `${silent.length} are without a code, such as ${first?.id}: ${first?.seen?.message}`];
}

function otherwise(rows: readonly Row[]): { readonly count: number; readonly list: string } {
  const wrong = rows.filter((row) => wrongKind(row) === "other" && !isFlagged(row));
  const groups = groupBy(
    wrong,
    ({ client, via, how, seen, events }) =>
      `${client} (${how}) via ${via}: the caller saw ${seen?.code}, the event says ${events.at(-1)?.status}`,
  );
  const list = [...groups].map(([name, { length }]) => `${length} of ${name}`).join("; ");
  return { count: wrong.length, list };
}

function counted(all: Counts, stats: Found["stats"]): [boolean, string] {
  if (stats === undefined) return [false, "the server did not end as it should"];
  const { bypassed, leftEarly = 0, skipped } = stats.stats.interceptor;
  const known = bypassed + leftEarly + Object.values(skipped).reduce((sum, one) => sum + one, 0);
  return [all.unreached <= known, `${all.unreached} requests never reached the interceptor, ${known} are counted`];
}

function coldChecks(setting: SettingName, rows: readonly Row[], factor: number): Check[] {
  if (setting !== "cold" && setting !== "delayed") return [];
  const cold = rows.filter((row) => row.cold && row.http === "2" && row.seen?.code === deadlineExceeded);
  return [...groupBy(cold.filter(isLeaving), ({ client }) => client)].map(([client, group]) => {
    const wrong = group.filter((row) => wrongKind(row) === "deadline").length;
    return check(
      `${setting}: deadlines of ${client} on cold HTTP/2 connections are right`,
      wrong / group.length <= mostWrongOnCold * factor,
      `${wrong} of ${group.length} are wrong`,
    );
  });
}

function longChecks(setting: SettingName, rows: readonly Row[], factor: number): Check[] {
  const long = rows.filter((row) => row.deadlineMs === 60_000 && (row.cancelShare ?? 0) >= 0.92 && isLeaving(row));
  if (long.length === 0) return [];
  const wrong = long.filter((row) => wrongKind(row) !== undefined).length;
  const name = `${setting}: cancellations near the end of a minute are right`;
  return [check(name, wrong / long.length <= mostWrongInLong * factor, `${wrong} of ${long.length} are wrong`)];
}
