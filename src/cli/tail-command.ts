import { type Environment, processEnvironment } from "../base/environment.js";
import type { TroubleLog } from "../base/log.js";
import { flag, maxInt32, type Option, type OptionsOf, readOptions, wholeNumber } from "../base/options.js";
import { pause } from "../base/timing.js";
import { createMask, type Mask, viewEvent } from "../contract/personal-fields.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import type { TopicReader } from "../kafka/consumer/topic-reader.js";
import { type Argument, argument, readSettings } from "./arguments.js";
import type { Command } from "./command.js";
import { type EventFilter, filterArguments, filterTable } from "./event-filter.js";
import { jsonOfRecord } from "./event-json.js";
import { lineOfEvent, lineOfInvalid } from "./event-line.js";
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
  type ReadRecord,
} from "./record-stream.js";
import type { Terminal } from "./terminal.js";
import { troubleLogOf } from "./terminal-log.js";

/** What `session-activity tail` was told to do. */
interface TailSettings extends ReadingSettings, EventFilter {
  readonly json: boolean;
  readonly limit: number;
}

/** The option that prints JSON. */
export const jsonOption: Option<boolean> = flag({
  meaning: "Prints a line of JSON for each, with where it stands in Kafka",
  defaultText: "lines to be read",
});

const table: OptionsOf<TailSettings> = {
  ...readingTable,
  ...filterTable,
  json: jsonOption,
  limit: wholeNumber({
    meaning: "Ends after so many lines",
    unit: "lines",
    byDefault: maxInt32,
    defaultText: "without end",
  }),
};

/** Every argument there is, in the order of help and documents. */
export const tailOptions: readonly Argument[] = [
  ...readingArguments("now: what comes from here on", "without end"),
  ...filterArguments,
  argument("--limit", "COUNT", table.limit, ["limit"]),
  argument("--json", undefined, table.json, ["json"]),
];

/** `session-activity tail`. */
export const tailCommand: Command = {
  name: "tail",
  summary: "Shows events as they come, a line each",
  isEndless: true,
  help: {
    usage: "--brokers HOST:PORT [options]",
    about: `Shows the events of a topic as they come, a line each: when the call began, how it ended, service and action, how long it
took, what the session context says, and what is unusual about it. Records that hold no event have a line, too. Partitions are
read side by side, each in its own order. So the time of a line may be before that of the line above.`,
    options: tailOptions,
    notes: readingNotes,
    examples: [
      { does: "Watch what happens", line: "session-activity tail --brokers kafka.internal:9092" },
      {
        does: "Which logins were refused in the last hour, and what is refused from now on?",
        line: "session-activity tail --brokers kafka.internal:9092 --since 1h --action login --status UNAUTHENTICATED,PERMISSION_DENIED",
      },
      {
        does: "Count the events of ten minutes by action",
        line: "session-activity tail --brokers kafka.internal:9092 --since 20m --until 10m --json | jq -r .event.action | sort | uniq -c",
      },
    ],
    endings: { done: "it was told to end, or the range or --limit has ended, or nobody reads any more" },
  },
  prepare(args) {
    const settings = readTailArguments(args);
    return (terminal) => tail(settings, terminal, troubleLogOf(terminal));
  },
};

/** Reads the arguments of `session-activity tail`, on top of the environment. Throws an `OptionError`. */
export function readTailArguments(args: readonly string[], env: Environment = processEnvironment): TailSettings {
  return readOptions("session-activity tail", table, onTopOfKafka(readSettings(args, tailOptions), env));
}

async function tail(settings: TailSettings, terminal: Terminal, log: TroubleLog<KafkaTrouble>): Promise<void> {
  const reader = await openReader(settings, log, terminal.ending);
  try {
    const { since, limit } = settings;
    const linesOf = createLines(createSelector(settings, settings), createPrinter(settings, terminal));
    const from = since === undefined ? await endsOf(reader, Date.now()) : await beginningsOf(reader, since);
    let left = limit;
    for await (const messages of messagesUntil(reader, from, settings.until, terminal.ending)) {
      const { text, count } = linesOf(messages, left);
      left -= count;
      if (count > 0) await terminal.write(text);
      if (left <= 0 || terminal.ending.aborted) return;
    }
  } finally {
    await reader.close();
  }
}

/** Makes the function that shows a record on a line. */
function createPrinter({ json, reveal }: TailSettings, { paint }: Terminal): (read: ReadRecord) => string {
  const mask: Mask | undefined = reveal ? undefined : createMask();
  return (read) => {
    const view = isInvalid(read) ? undefined : viewEvent(read.event, mask);
    if (json) return `${jsonOfRecord(read, view, { hasValue: reveal })}\n`;
    if (isInvalid(read)) return `${lineOfInvalid(read, paint)}\n`;
    return view === undefined ? "" : `${lineOfEvent(view, paint)}\n`;
  };
}

/** Reads what comes until the end of the range, which may be still to come. */
async function* messagesUntil(
  reader: TopicReader,
  from: ReadonlyMap<number, number>,
  until: number | undefined,
  ending: AbortSignal,
): ReturnType<TopicReader["read"]> {
  if (until === undefined) {
    yield* reader.read({ from }, ending);
    return;
  }
  const next = new Map(from);
  const waitMs = Math.min(maxInt32, until - Date.now());
  if (waitMs > 0) {
    const over = new AbortController();
    void pause(waitMs, ending).then(() => over.abort());
    for await (const messages of reader.read({ from }, AbortSignal.any([ending, over.signal]))) {
      for (const { partition, offset } of messages) next.set(partition, offset + 1);
      yield messages;
    }
  }
  if (!ending.aborted) yield* reader.read({ from: next, to: await endsOf(reader, until) }, ending);
}
