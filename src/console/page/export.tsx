import type { JSX } from "preact";
import { askServer } from "./ask-server.js";

/** One row of what is shown, by the names of its columns. */
export type ExportRow = Readonly<Record<string, string | number | boolean | undefined>>;

/** A cell that a spreadsheet takes for a text: one that begins like a formula would be run. */
function cellOf(value: ExportRow[string]): string {
  const text = value === undefined ? "" : String(value);
  const harmless = typeof value === "string" && /^[\s\p{Cc}]*[=+\-@|%]/u.test(text) ? `'${text}` : text;
  return /["\n\r,;]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Rows as CSV, by RFC 4180. */
export function csvOf(rows: readonly ExportRow[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns.map(cellOf), ...rows.map((row) => columns.map((column) => cellOf(row[column])))];
  return lines.map((cells) => `${cells.join(",")}\r\n`).join("");
}

/** Rows as one JSON text a line. */
export function jsonlOf(rows: readonly ExportRow[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

const formats = {
  CSV: { type: "text/csv", ending: "csv", write: csvOf },
  JSONL: { type: "application/jsonl", ending: "jsonl", write: jsonlOf },
} as const;

async function save(view: string, format: keyof typeof formats, rows: readonly ExportRow[]): Promise<void> {
  await askServer(
    "export",
    new URLSearchParams({ view: `${view} ${format} ${rows.length} rows ${location.search}` }),
    true,
  );
  const { type, ending, write } = formats[format];
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([write(rows)], { type }));
  link.download = `${view}.${ending}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** Buttons that save what is shown. `rows` is called when one is pressed. */
export function ExportButtons({
  view,
  rows,
  onProblem,
}: {
  view: string;
  rows: () => readonly ExportRow[];
  onProblem: (problem: string) => void;
}): JSX.Element {
  return (
    <>
      {(["CSV", "JSONL"] as const).map((format) => (
        <button
          type="button"
          key={format}
          onClick={() => void save(view, format, rows()).catch((error: unknown) => onProblem(String(error)))}
        >
          Export {format}
        </button>
      ))}
    </>
  );
}
