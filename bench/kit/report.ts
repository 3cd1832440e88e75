import { format, formatSpread, type Samples, type Trust } from "./comparison.js";
import type { Spread } from "./statistics.js";

/** A figure, or a text that stands for one. */
export type Cell = Spread | number | string;

/** One table of the report. */
export interface Table {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly Cell[] }[];
  /** What the figures stand for, and what was left out: a sentence each. */
  readonly notes?: readonly string[] | undefined;
  /** Absent if nothing is compared. */
  readonly trust?: Trust | undefined;
  /** What the figures come from. */
  readonly samples?: Samples | undefined;
}

/** A column of figures. */
export interface Column {
  readonly title: string;
  readonly digits: number;
}

/** What a group of measurements found out. */
export interface GroupResult {
  readonly name: string;
  /** All tables, for the report. */
  readonly tables: readonly Table[];
  /** Those that docs/performance.md shows. @default all */
  readonly page?: readonly Table[] | undefined;
}

/** What a run was made with. */
export interface RunStamp {
  readonly command: string;
  readonly machine: string;
  readonly versions: string;
  readonly at: string;
  /** The highest share of the CPU that others used. */
  readonly outsideShare: number;
  /** The run was not stopped for it. */
  readonly busyMachineAllowed: boolean;
  readonly isQuick: boolean;
  /** Why not all was measured that was asked for. */
  readonly problems: readonly string[];
}

/** Whether nothing speaks against a table. */
export function isTrusted({ trust }: Table): boolean {
  return trust?.isTrusted !== false;
}

/** Whether there is anything that a page may show. */
export function isForPage({ tables, page = tables }: GroupResult): boolean {
  return page.some(isTrusted);
}

/** A table in Markdown, with what stands around it. */
export function tableInMarkdown({ title, columns, rows, notes = [], trust }: Table): string {
  const lines = [
    ["", ...columns.map((column) => column.title)],
    ["---", ...columns.map(() => "---:")],
    ...rows.map(({ name, cells }) => [name, ...cells.map((cell, index) => inMarkdown(cell, columns[index]))]),
  ].map((cells) => `| ${cells.join(" | ")} |`);
  const judgement = trust === undefined ? [] : [trust.isTrusted ? `Checked: ${trust.reason}.` : distrust(trust)];
  return [`**${title}**`, lines.join("\n"), [...judgement, ...notes].join(" ")].filter(Boolean).join("\n\n");
}

function distrust({ reason }: Trust): string {
  return `**NOT TRUSTWORTHY: ${reason}. Nothing in this table can be believed.**`;
}

function inMarkdown(cell: Cell, column: Column | undefined): string {
  const digits = column?.digits ?? 0;
  if (typeof cell === "string") return cell;
  return typeof cell === "number" ? format(cell, digits) : formatSpread(cell, digits);
}

/** The lines that say where figures come from. */
export function stampInMarkdown(stamp: RunStamp): string {
  const { command, machine, versions, at, outsideShare, busyMachineAllowed, isQuick, problems } = stamp;
  const share = `others used up to ${format(outsideShare * 100, 1)} % of the CPU`;
  return [
    `\`${command}\`, ${at}. ${machine}. ${versions}.`,
    busyMachineAllowed
      ? `**This is only a trial: the machine was not ours alone, ${share}.**`
      : `At any time, ${share}.`,
    isQuick ? "This was a quick run, of few rounds." : "",
    ...problems.map((problem) => `**Not complete: ${problem}.**`),
  ]
    .filter(Boolean)
    .join(" ");
}

/** The whole report. */
export function reportInMarkdown(stamp: RunStamp, groups: readonly GroupResult[]): string {
  const parts = groups.map(({ name, tables }) => [`## ${name}`, ...tables.map(tableInMarkdown)].join("\n\n"));
  return `${["# Benchmark", stampInMarkdown(stamp), howToRead, ...parts].join("\n\n")}\n`;
}

const howToRead =
  "A figure is the median of all rounds, with its 95 % confidence interval (of fewer than six rounds, from the lowest to the highest). A ratio is taken within each round.";

/** The report as JSON, with all samples. */
export function reportInJson(stamp: RunStamp, groups: readonly GroupResult[]): string {
  const plain = (_: string, value: unknown): unknown => (value instanceof Map ? Object.fromEntries(value) : value);
  return `${JSON.stringify({ ...stamp, groups }, plain, 1)}\n`;
}

/** Puts a group's tables into its marked block of a page, but for those that cannot be trusted. The block must be there. */
export function fillBlock(page: string, stamp: RunStamp, result: GroupResult): string {
  const { name, tables, page: shown = tables } = result;
  const [begin, end] = [`<!-- bench ${name} -->`, `<!-- /bench ${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no block between ${begin} and ${end}`);
  const content = [stampInMarkdown(stamp), ...shown.map(onPage)].join("\n\n");
  return `${page.slice(0, from)}${begin}\n\n${content}\n\n${page.slice(to)}`;
}

function onPage(table: Table): string {
  return isTrusted(table) ? tableInMarkdown(table) : `**${table.title}**: left out, since this run cannot be trusted.`;
}
