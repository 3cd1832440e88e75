import { setFlagsFromString } from "node:v8";
import { errorMessage } from "../base/errors.js";
import type { TroubleLog } from "../base/log.js";
import type { NativeMessage } from "../kafka/client/kafka-client.js";
import type { KafkaTrouble } from "../kafka/client/kafka-troubles.js";
import { withOAuth } from "../kafka/client/oauth-token.js";
import { type InvalidRecord, readMessage, type SessionActivityItem } from "../kafka/consumer/consumed-record.js";
import { type Offsets, openTopic, type TopicReader } from "../kafka/consumer/topic-reader.js";
import { createFilter, type EventFilter, isOpen } from "./event-filter.js";
import { type ReadingSettings, readerGroupId } from "./reading-arguments.js";
import type { Terminal } from "./terminal.js";

/** A record that was read: with an event, or without one. */
export type ReadRecord = SessionActivityItem | InvalidRecord;

/** Whether a record holds no event. */
export function isInvalid(read: ReadRecord): read is InvalidRecord {
  return "reason" in read;
}

/** Opens the topic of a command. */
export async function openReader(
  settings: ReadingSettings,
  log: TroubleLog<KafkaTrouble>,
  ending: AbortSignal,
): Promise<TopicReader> {
  const { brokers, topic, oauthToken, properties } = settings;
  // What is read lives for a line. Without this, V8 sets 100 MiB aside for it, and is no faster.
  setFlagsFromString("--semi-space-growth-factor=1");
  try {
    return await openTopic(
      { brokers, topic, oauthToken, properties: withOAuth({ oauthToken, properties }), groupId: readerGroupId },
      log,
      ending,
    );
  } catch (error) {
    throw new Error(
      `${errorMessage(error)}. To find out why, run: session-activity doctor --brokers ${brokers} --topic ${topic}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * How much later than its end a range is read. A record may stand behind one that is younger: producers send again what was not
 * acknowledged, for five minutes by default.
 */
const disorderMs = 300_000;

/** Where a range ends: behind all that may still belong to it. */
export async function endsOf(reader: TopicReader, untilMs: number): Promise<Offsets> {
  const late = untilMs + disorderMs;
  if (late < Date.now()) return reader.offsetsAt(late);
  const marks = await reader.marks();
  return new Map([...marks].map(([partition, { highOffset }]) => [partition, highOffset]));
}

/** Where a range begins: at the first record of its time, or at the oldest there is. */
export async function beginningsOf(reader: TopicReader, sinceMs: number | undefined): Promise<Offsets> {
  if (sinceMs !== undefined) return reader.offsetsAt(sinceMs);
  const marks = await reader.marks();
  return new Map([...marks].map(([partition, { lowOffset }]) => [partition, lowOffset]));
}

/**
 * Makes the function that reads a message. Undefined for one that is not meant. Without a filter, records without an event are.
 *
 * Messages are read one by one, and each is let go before the next: what a batch of them is decoded to is ten times as large.
 */
export function createSelector(
  filter: EventFilter,
  { since, until }: Pick<ReadingSettings, "since" | "until">,
): (message: NativeMessage) => ReadRecord | undefined {
  const fits = createFilter(filter);
  const takesInvalid = isOpen(filter);
  return (message) => {
    const { timestamp = 0 } = message;
    if (timestamp < (since ?? Number.NEGATIVE_INFINITY) || timestamp >= (until ?? Infinity)) return undefined;
    const read = readMessage(message);
    return (isInvalid(read) ? takesInvalid : fits(read.event)) ? read : undefined;
  };
}

/** Lines, as text. */
export interface Lines {
  readonly text: string;
  readonly count: number;
}

/** Makes the function that turns messages into the lines of those that are meant. */
export function createLines(
  select: (message: NativeMessage) => ReadRecord | undefined,
  lineOf: (read: ReadRecord) => string,
): (messages: readonly NativeMessage[], limit?: number) => Lines {
  return (messages, limit = Number.POSITIVE_INFINITY) => {
    let text = "";
    let count = 0;
    for (const message of messages) {
      if (count >= limit) break;
      const read = select(message);
      if (read === undefined) continue;
      text += lineOf(read);
      count += 1;
    }
    return { text, count };
  };
}

/** Makes the function that shows how much of a range was read. */
export function progressOf(
  { from, to }: { readonly from: Offsets; readonly to: Offsets },
  terminal: Pick<Terminal, "progress">,
  what: string,
): (messages: readonly NativeMessage[]) => void {
  let total = 0;
  for (const [partition, offset] of from) total += Math.max(0, (to.get(partition) ?? 0) - offset);
  let done = 0;
  let shownMs = performance.now();
  return (messages) => {
    done += messages.length;
    const nowMs = performance.now();
    if (nowMs - shownMs < progressEveryMs) return;
    shownMs = nowMs;
    terminal.progress(`${what} ${done} of ${total} records`);
  };
}

const progressEveryMs = 250;
