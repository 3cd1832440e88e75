import { printable } from "../base/text.js";
import type { Terminal } from "./terminal.js";

/** A name and what it says, as a line of a report shows them. */
export type Row = readonly [name: string, value: string | undefined];

/** A heading and its rows. Rows that say nothing are left out, and what came from elsewhere is made printable. */
export function section(heading: string, rows: readonly Row[], paint: Terminal["paint"]): string {
  const said = rows.flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[printable(name), value] as const],
  );
  const width = Math.max(0, ...said.map(([name]) => name.length));
  const lines = said.map(([name, value]) => `  ${paint("faint", name.padEnd(width))}  ${printable(value)}`);
  return [paint("strong", printable(heading)), ...lines, ""].join("\n");
}
