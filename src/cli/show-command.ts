import { type Environment, processEnvironment } from "../base/environment.js";
import type { TroubleLog } from "../base/log.js";
import { missingOption } from "../base/option-error.js";
import { isOptions, type OptionsOf, readOptions, text } from "../base/options.js";
import { printableJson } from "../base/text.js";
import { createMask, type Mask, viewEvent } from "../contract/personal-fields.js";
import { type DatabaseSettings, databaseTable } from "../history/database.js";
import { historyTable } from "../history/history-options.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import { unframe } from "../kafka/client/schema-frame.js";
import type { SessionActivityItem } from "../kafka/consumer/consumed-record.js";
import { type Argument, argument, parseArguments, settingsOf } from "./arguments.js";
import type { Command } from "./command.js";
import { jsonOfRecord } from "./event-json.js";
import { lineOfEvent } from "./event-line.js";
import { reportOfEvent, reportOfRecord } from "./event-report.js";
import type { Ending } from "./exit-codes.js";
import { addressOption, refusePassword } from "./history-arguments.js";
import { type KnownHistory, readKnownHistory, reportOfHistory } from "./known-history.js";
import {
  onTopOfKafka,
  type ReadingSettings,
  readingArguments,
  readingNotes,
  readingTable,
} from "./reading-arguments.js";
import { findRecords } from "./record-search.js";
import { beginningsOf, endsOf, openReader, progressOf } from "./record-stream.js";
import { jsonOption } from "./tail-command.js";
import type { Terminal } from "./terminal.js";
import { troubleLogOf } from "./terminal-log.js";

/** What `session-activity show` was told to do. */
interface ShowSettings extends ReadingSettings {
  readonly id: string;
  readonly json: boolean;
  readonly schema: string;
  readonly address: DatabaseSettings;
}

const table: OptionsOf<Omit<ShowSettings, "address">> = {
  ...readingTable,
  id: text({
    meaning: "The id of an event or of a session",
    required: true,
    expects: "the id of an event or of a session",
    pattern: /./s,
  }),
  json: jsonOption,
  schema: historyTable.schema,
};

/** Every argument there is, in the order of help and documents. */
export const showOptions: readonly Argument[] = [
  ...readingArguments("shortly before the time in an event's id; else 24 h ago", "now"),
  argument("--database", "ADDRESS", { ...addressOption, defaultText: "`SESSION_HISTORY_DATABASE`, or none" }, [
    "address",
    "url",
  ]),
  argument("--schema", "NAME", table.schema, ["schema"]),
  argument("--json", undefined, table.json, ["json"]),
];

/** `session-activity show`. */
export const showCommand: Command = {
  name: "show",
  summary: "Shows all that is known about an event, or about a session",
  help: {
    usage: "EVENT_ID|SESSION_ID --brokers HOST:PORT [options]",
    about: `Shows an event with all that it says, its session context, where it stands in Kafka, and with a history what it changed.
Of a session it shows each event on a line, and with a history what its signals are and how they changed.

An event's id says when the call began, so it is found at once. For other ids, --since says from where on to look.`,
    options: showOptions,
    notes: readingNotes,
    examples: [
      {
        does: "What was this call, and what did it change?",
        line: "session-activity show 0199d7a4-5c1e-7b3a-9a51-3f0c2b7d1e44 --brokers kafka.internal:9092 --database postgresql://reader@db.internal/history",
      },
      {
        does: "What did this session do in the last two days?",
        line: "session-activity show session-4711 --brokers kafka.internal:9092 --since 2d",
      },
    ],
    endings: {
      negative: "nothing is known about this id in this range",
      interrupted: "it was told to end by SIGINT (Ctrl-C) before it was done",
    },
  },
  prepare(args) {
    const settings = readShowArguments(args);
    return (terminal) => show(settings, terminal, troubleLogOf(terminal));
  },
};

/** Reads the arguments of `session-activity show`, on top of the environment. Throws an `OptionError`. */
export function readShowArguments(args: readonly string[], env: Environment = processEnvironment): ShowSettings {
  const { given: typed, words } = parseArguments(args, showOptions, 1);
  const [id] = words;
  if (id === undefined) throw missingOption("the word after show", table.id.expects);
  const { address, ...given } = onTopOfKafka({ ...settingsOf(typed, showOptions), id }, env);
  const url = isOptions(address) && typeof address["url"] === "string" ? address["url"] : undefined;
  if (url !== undefined) refusePassword(url);
  const settings = readOptions("session-activity show", table, given);
  const variable = env["SESSION_HISTORY_DATABASE"]?.trim() || undefined;
  return { ...settings, address: readOptions("session-activity show", databaseTable, { url: url ?? variable }) };
}

async function show(settings: ShowSettings, terminal: Terminal, log: TroubleLog<KafkaTrouble>): Promise<Ending> {
  const mask = settings.reveal ? undefined : createMask();
  const found = await findInTopic(settings, terminal, log);
  const known = await readKnownHistory(settings, found.kind === "event" ? "event" : "session", settings.id);
  if (terminal.ending.aborted) return "interrupted";
  if (found.kind === "none" && known.isEmpty) {
    terminal.note(
      `Nothing was found about ${settings.id}. Look further back, for example with --since 7d, and check the id and --topic`,
    );
    return "negative";
  }
  await (settings.json ? printJson(found.items, known, mask, settings, terminal) : print(found, known, mask, terminal));
  if (found.isCut)
    terminal.note(
      `Only the first ${found.items.length} events are shown: give a shorter range with --since and --until`,
    );
  return "done";
}

/** What a topic has about an id. */
interface Found {
  readonly kind: "event" | "session" | "none";
  readonly items: readonly SessionActivityItem[];
  readonly isCut: boolean;
}

const dayMs = 86_400_000;
/** How far clocks may be apart. */
const clockSlackMs = 300_000;

async function findInTopic(settings: ShowSettings, terminal: Terminal, log: TroubleLog<KafkaTrouble>): Promise<Found> {
  const { id, until = Date.now() } = settings;
  const minted = mintedAt(id);
  const since = settings.since ?? (minted === undefined ? Date.now() - dayMs : minted - clockSlackMs);
  const reader = await openReader(settings, log, terminal.ending);
  try {
    const range = { from: await beginningsOf(reader, since), to: await endsOf(reader, until) };
    const progress = progressOf(range, terminal, "Looked at");
    const { items, isEvent, isCut } = await findRecords(id, reader.read(range, terminal.ending), progress);
    return { kind: items.length === 0 ? "none" : isEvent ? "event" : "session", items, isCut };
  } finally {
    await reader.close();
  }
}

/** When an id was minted, if it is a UUIDv7, as those of events are. */
function mintedAt(id: string): number | undefined {
  const [, high, low] = /^([\da-f]{8})-([\da-f]{4})-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/i.exec(id) ?? [];
  return high === undefined || low === undefined ? undefined : Number.parseInt(high + low, 16);
}

async function print(
  { kind, items }: Found,
  known: KnownHistory,
  mask: Mask | undefined,
  terminal: Terminal,
): Promise<void> {
  const { paint } = terminal;
  for (const { event, record } of items) {
    const view = viewEvent(event, mask);
    if (kind === "session") {
      await terminal.write(`${lineOfEvent(view, paint)}\n`);
    } else {
      const { frame } = unframe(record.value ?? new Uint8Array(), record.headers);
      await terminal.write(`${reportOfEvent(view, paint)}\n${reportOfRecord(record, frame, paint)}\n`);
    }
  }
  await terminal.write(reportOfHistory(known, mask, paint));
}

async function printJson(
  items: readonly SessionActivityItem[],
  known: KnownHistory,
  mask: Mask | undefined,
  { reveal }: ShowSettings,
  terminal: Terminal,
): Promise<void> {
  for (const item of items)
    await terminal.write(`${jsonOfRecord(item, viewEvent(item.event, mask), { hasValue: reveal })}\n`);
  for (const change of known.maskedChanges(mask))
    await terminal.write(`${printableJson(JSON.stringify({ change }))}\n`);
}
