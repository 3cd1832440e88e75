import { type Environment, processEnvironment } from "../base/environment.js";
import type { TroubleLog } from "../base/log.js";
import { wrongOption } from "../base/option-error.js";
import { type OptionsOf, oneOf, readOptions, text } from "../base/options.js";
import { createMask, createMaskKey, type Mask, viewEvent } from "../contract/personal-fields.js";
import type { NativeMessage } from "../kafka/client/kafka-client.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import type { TopicReader } from "../kafka/consumer/topic-reader.js";
import { type Argument, argument, type ParsedArguments, parseArguments, settingsOf } from "./arguments.js";
import type { Command } from "./command.js";
import { csvHeader, csvOfRecord } from "./event-csv.js";
import { type EventFilter, filterArguments, filterTable } from "./event-filter.js";
import { jsonOfRecord } from "./event-json.js";
import { endingMeanings } from "./exit-codes.js";
import { type ExportFile, type ExportRange, type ExportState, openExportFile } from "./export-file.js";
import {
  onTopOfKafka,
  type ReadingSettings,
  readingArguments,
  readingNotes,
  readingTable,
} from "./reading-arguments.js";
import {
  beginningsOf,
  createLines,
  createSelector,
  endsOf,
  isInvalid,
  openReader,
  progressOf,
  type ReadRecord,
} from "./record-stream.js";
import type { Terminal } from "./terminal.js";
import { troubleLogOf } from "./terminal-log.js";

const formats = ["jsonl", "csv"] as const;

/** What `session-activity export` was told to do. */
interface ExportSettings extends ReadingSettings, EventFilter {
  readonly format: (typeof formats)[number];
  readonly output: string | undefined;
}

/** The same, and by what it is known again that it is the same. */
interface ExportOrder extends ExportSettings {
  readonly order: string;
}

const table: OptionsOf<ExportSettings> = {
  ...readingTable,
  ...filterTable,
  format: oneOf(formats, { meaning: "How records are written: a line of JSON or of CSV for each", byDefault: "jsonl" }),
  output: text({
    meaning: "The file to write. If it was cut off, the same command goes on with it",
    defaultText: "stdout",
  }),
};

/** Every argument there is, in the order of help and documents. */
export const exportOptions: readonly Argument[] = [
  ...readingArguments("the oldest there is", "now"),
  ...filterArguments,
  argument("--format", "FORMAT", table.format, ["format"]),
  argument("--output", "FILE", table.output, ["output"]),
];

/** `session-activity export`. */
export const exportCommand: Command = {
  name: "export",
  summary: "Writes the events of a range of time to a file, as lines of JSON or CSV",
  help: {
    usage: "--brokers HOST:PORT [options]",
    about: `Writes what a topic has of a range of time, partition after partition, each in its order. The same range gives the same lines.

With --output, an export that was cut off goes on when the same command is typed again, and the file becomes the one that a
single run would have written. Until it is complete, FILE.state stands beside it. The end of the range is fixed by the first
run. Without --output, lines go to stdout.`,
    options: exportOptions,
    notes: `${readingNotes}

With --reveal, each line of JSON has the bytes of its record, too, by which it can be checked that nothing was changed.`,
    examples: [
      {
        does: "Keep a day for good, so that it can be checked later",
        line: "session-activity export --brokers kafka.internal:9092 --since 2026-11-26 --until 2026-11-27 --reveal --output 2026-11-26.jsonl",
      },
      {
        does: "Give a table of refused calls to somebody, without saying whose they were",
        line: "session-activity export --brokers kafka.internal:9092 --since 7d --status PERMISSION_DENIED --format csv --output refused.csv",
      },
    ],
    endings: {
      interrupted: `${endingMeanings.interrupted}; with --output, the same command goes on`,
      terminated: "the same by SIGTERM",
    },
  },
  prepare(args) {
    const settings = readExportArguments(args);
    return (terminal) => runExport(settings, terminal, troubleLogOf(terminal));
  },
};

/** Reads the arguments of `session-activity export`, on top of the environment. Throws an `OptionError`. */
export function readExportArguments(args: readonly string[], env: Environment = processEnvironment): ExportOrder {
  const parsed = parseArguments(args, exportOptions);
  const given = onTopOfKafka(settingsOf(parsed.given, exportOptions), env);
  const settings = readOptions("session-activity export", table, given);
  if (settings.output?.endsWith(".state")) {
    throw wrongOption("--output", "a file that does not end in .state, as what stands beside it does", settings.output);
  }
  return { ...settings, order: orderOf(parsed, settings) };
}

async function runExport(settings: ExportOrder, terminal: Terminal, log: TroubleLog<KafkaTrouble>): Promise<void> {
  const file = settings.output === undefined ? undefined : await openExportFile(settings.output, settings.order);
  try {
    const reader = await openReader(settings, log, terminal.ending);
    try {
      const lines = await copy(settings, reader, file, terminal);
      if (terminal.ending.aborted) return noteInterruption(settings, file, terminal);
      await file?.finish();
      terminal.note(`Exported: ${lines} records${settings.output === undefined ? "" : ` to ${settings.output}`}`);
    } finally {
      await reader.close();
    }
  } finally {
    await file?.close();
  }
}

function noteInterruption({ output }: ExportSettings, file: ExportFile | undefined, terminal: Terminal): void {
  if (file !== undefined) terminal.note(`Cut off: type the same command again, and it goes on with ${output}`);
}

/** What makes an export another one: all that was typed, but for where Kafka and the file are. */
function orderOf({ given }: ParsedArguments, { topic }: Pick<ExportSettings, "topic">): string {
  const typed = [...given].filter(([name]) => name !== "--brokers" && name !== "--output");
  return JSON.stringify([["--topic", topic], ...typed.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

/** How far an export is, but for the length of its file. */
type Progress = Omit<ExportState, "bytes">;

/** Copies what is left. Answers with how many lines there are now. */
async function copy(
  settings: ExportOrder,
  reader: TopicReader,
  file: ExportFile | undefined,
  terminal: Terminal,
): Promise<number> {
  const begun: Progress = file?.state ?? (await begin(settings, reader));
  const select = createSelector(settings, { since: begun.since, until: begun.until });
  const linesOf = createLines(select, createPrinter(settings, createMask(Buffer.from(begun.maskKey, "base64"))));
  const write = (lines: string): Promise<void> => (file === undefined ? terminal.write(lines) : file.write(lines));
  const note = createNote(file);
  if (file?.state === undefined && settings.format === "csv") await write(csvHeader);
  await file?.note(begun);
  let now = begun;
  const show = progressOf(offsetsOf(begun.ranges), terminal, "Exported");
  for (const { partition, next, end } of begun.ranges) {
    const range = { from: new Map([[partition, next]]), to: new Map([[partition, end]]) };
    for await (const messages of reader.read(range, terminal.ending)) {
      noteGap(messages[0], partition, now, terminal);
      const { text: lines, count } = linesOf(messages);
      if (count > 0) await write(lines);
      now = advance(now, partition, (messages.at(-1)?.offset ?? next) + 1, count);
      await note(now);
      show(messages);
    }
    if (terminal.ending.aborted) break;
    now = advance(now, partition, end, 0);
  }
  await file?.note(now);
  return now.lines;
}

/** Fixes what an export reads. */
async function begin(settings: ExportOrder, reader: TopicReader): Promise<Progress> {
  const { since, until = Date.now() } = settings;
  const from = await beginningsOf(reader, since);
  const to = await endsOf(reader, until);
  const ranges = [...from]
    .map(([partition, next]) => ({ partition, next, end: to.get(partition) ?? next }))
    .toSorted((a, b) => a.partition - b.partition);
  const maskKey = Buffer.from(createMaskKey()).toString("base64");
  return { order: settings.order, maskKey, since, until, ranges, lines: 0 };
}

/** Makes the function that writes a record as a line. */
function createPrinter({ format, reveal }: ExportSettings, mask: Mask): (read: ReadRecord) => string {
  const maskOrNone = reveal ? undefined : mask;
  return (read) => {
    const view = isInvalid(read) ? undefined : viewEvent(read.event, maskOrNone);
    return format === "csv" ? csvOfRecord(read, view) : `${jsonOfRecord(read, view, { hasValue: reveal })}\n`;
  };
}

const noteEveryMs = 500;

/** Makes the function that notes now and then how far an export is: each time costs a write to the disk. */
function createNote(file: ExportFile | undefined): (now: Progress) => Promise<void> {
  let notedMs = performance.now();
  return async (now) => {
    if (performance.now() - notedMs < noteEveryMs) return;
    await file?.note(now);
    notedMs = performance.now();
  };
}

/** Says that offsets have no records: retention was faster, or the topic is compacted. */
function noteGap(first: NativeMessage | undefined, partition: number, now: Progress, terminal: Terminal): void {
  const next = now.ranges.find((range) => range.partition === partition)?.next ?? 0;
  if (first === undefined || first.offset <= next) return;
  terminal.note(
    `Partition ${partition} has no records from ${next} to ${first.offset - 1}: retention may have deleted them`,
  );
}

function advance(now: Progress, partition: number, next: number, lines: number): Progress {
  const ranges = now.ranges.map((range) => (range.partition === partition ? { ...range, next } : range));
  return { ...now, ranges, lines: now.lines + lines };
}

function offsetsOf(ranges: readonly ExportRange[]): Parameters<typeof progressOf>[0] {
  return {
    from: new Map(ranges.map(({ partition, next }) => [partition, next])),
    to: new Map(ranges.map(({ partition, end }) => [partition, end])),
  };
}
