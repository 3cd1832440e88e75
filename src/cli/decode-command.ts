import { createReadStream } from "node:fs";
import { flag, type OptionsOf, readOptions, text } from "../base/options.js";
import { printableJson } from "../base/text.js";
import { createMask, type Mask, maskContext, viewEvent } from "../contract/personal-fields.js";
import { type Argument, argument, parseArguments, settingsOf } from "./arguments.js";
import type { Command } from "./command.js";
import { type Decoded, decodeBytes } from "./decoded-bytes.js";
import { jsonOfContext, jsonOfView } from "./event-json.js";
import { frameText, reportOfContext, reportOfEvent } from "./event-report.js";
import type { Ending } from "./exit-codes.js";
import { section } from "./report-section.js";
import { jsonOfRun, reportOfRun } from "./run-text.js";
import { jsonOption } from "./tail-command.js";
import type { Terminal } from "./terminal.js";

/** What `session-activity decode` was told to do. */
interface DecodeSettings {
  readonly file: string | undefined;
  readonly json: boolean;
  readonly reveal: boolean;
}

const table: OptionsOf<DecodeSettings> = {
  file: text({ meaning: "The file to read", defaultText: "stdin" }),
  json: { ...jsonOption, meaning: "Prints protobuf's JSON, on one line", defaultText: "sections to be read" },
  reveal: flag({ meaning: "Shows what tells of a person, instead of a mask", defaultText: "masked" }),
};

/** Every argument there is, in the order of help and documents. */
export const decodeOptions: readonly Argument[] = [
  argument("--reveal", undefined, table.reveal, ["reveal"]),
  argument("--json", undefined, table.json, ["json"]),
];

/** `session-activity decode`. */
export const decodeCommand: Command = {
  name: "decode",
  summary: "Shows what the bytes of a record, or of a session context, say",
  help: {
    usage: "[FILE] [options]",
    about: `Decodes the value of a record, be it an event or a run record, or the header x-session-context, from a file or from stdin: raw, in base64 or in hexadecimal
digits, with the frame of a Schema Registry or without one. Which of these it is, the bytes tell.`,
    options: decodeOptions,
    examples: [
      {
        does: "What is in this record?",
        line: "session-activity decode record.bin",
      },
      {
        does: "What does this header say?",
        line: "session-activity decode header.txt --reveal",
      },
    ],
    endings: { negative: "the bytes are none of these, or damaged" },
  },
  prepare(args) {
    const { given, words } = parseArguments(args, decodeOptions, 1);
    const [file] = words;
    const settings = readOptions("session-activity decode", table, { ...settingsOf(given, decodeOptions), file });
    return (terminal) => decode(settings, terminal);
  },
};

async function decode({ file, json, reveal }: DecodeSettings, terminal: Terminal): Promise<Ending> {
  const input = file === undefined || file === "-" ? process.stdin : createReadStream(file);
  if (input === process.stdin && process.stdin.isTTY)
    terminal.note(
      "Reading what you type or paste: end it with Ctrl-D. To read a file, name it: session-activity decode FILE",
    );
  const bytes = await bytesOf(input);
  const decoded = decodeBytes(bytes);
  if (decoded === undefined) {
    const found = bytes.length === 0 ? "there are no bytes, and so" : "these bytes are";
    terminal.note(
      `session-activity decode: ${found} not an event, a run record or a session context. Give the value of a record without its key and headers, or the value of the header x-session-context: raw, in base64 or in hexadecimal digits`,
    );
    return "negative";
  }
  const mask = reveal ? undefined : createMask();
  await terminal.write(json ? `${jsonOf(decoded, mask)}\n` : reportOf(decoded, mask, terminal.paint));
  return "done";
}

/** The largest record that Kafka's clients take, several times in base64. */
const maxBytes = 100_000_000;

async function bytesOf(input: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`there are more than ${maxBytes} bytes: no record is that large`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function jsonOf(decoded: Decoded, mask: Mask | undefined): string {
  const { encoding, frame } = decoded;
  return printableJson(JSON.stringify({ encoding, ...(frame && { frame }), ...jsonOfContent(decoded, mask) }));
}

function jsonOfContent(decoded: Decoded, mask: Mask | undefined): object {
  if (decoded.kind === "event") return jsonOfView(viewEvent(decoded.event, mask));
  if (decoded.kind === "run") return jsonOfRun(decoded.run);
  return jsonOfContext(mask === undefined ? decoded.context : maskContext(decoded.context, mask));
}

function reportOfContent(decoded: Decoded, mask: Mask | undefined, paint: Terminal["paint"]): string {
  if (decoded.kind === "event") return reportOfEvent(viewEvent(decoded.event, mask), paint);
  if (decoded.kind === "run") return reportOfRun(decoded.run, paint);
  return reportOfContext(mask === undefined ? decoded.context : maskContext(decoded.context, mask), paint);
}

function reportOf(decoded: Decoded, mask: Mask | undefined, paint: Terminal["paint"]): string {
  const content = reportOfContent(decoded, mask, paint);
  const { encoding, frame, bytes } = decoded;
  const given = section(
    "Bytes",
    [
      ["length", String(bytes)],
      ["encoding", encoding],
      ["schema", frame && frameText(frame)],
    ],
    paint,
  );
  return `${content}\n${given}`;
}
