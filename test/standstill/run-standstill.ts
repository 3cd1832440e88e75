import { fromBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { startHistoryWorker } from "../../src/cli/history-worker.js";
import { createSignalHistory, type SignalDatabase, type SignalHistoryStats } from "../../src/history/index.js";
import type { Logger, SessionActivityEvent } from "../../src/index.js";
import { createHeapGauge } from "../support/heap-gauge.js";
import { pause } from "../support/until.js";
import { createOddRecords, type Fate, type OddRecord } from "./odd-records.js";
import { openOddWriter } from "./odd-writer.js";
import { recordedNumbers } from "./recorded-numbers.js";

/** What a run needs. */
export interface StandstillOptions {
  readonly brokers: string;
  readonly database: SignalDatabase;
  readonly records: number;
  readonly seed: number;
  /** If no record is handled for so long, something stands still. */
  readonly patienceMs?: number;
  /** Records whose kind contains one of these are left out. */
  readonly without?: readonly string[];
  /** Told at each tenth. */
  readonly onTenth?: (report: Progress) => void;
}

/** How far a run has come. */
export interface Progress {
  readonly written: number;
  readonly seconds: number;
  /** In use after a collection, in MB. */
  readonly heapMb: number;
  /** The whole process, in MB. */
  readonly residentMb: number;
}

/** How many records there are, by what is odd in them. One with two oddities counts for both. */
export type ByKind = Readonly<Record<string, number>>;

/** What became of the records. */
export interface StandstillReport {
  /** Where partitions stand, and which records the history refuses from there on. Empty if nothing stands still. */
  readonly standsAt: readonly string[];
  /** Good events that are not in the history. Not looked for if something stands still. */
  readonly missing: ByKind;
  /** Records that are in the history, and should not be. */
  readonly surplus: ByKind;
  readonly sent: Readonly<Record<Fate, number>>;
  /** What the worker and its history counted as set aside or not for the history. */
  readonly counted: { readonly silent: number; readonly poison: number };
  readonly tenths: readonly Progress[];
}

const topic = "session-activities";
const fates: readonly Fate[] = ["recorded", "silent", "poison"];
/** The embedded broker's. */
const partitions = 4;
/** The embedded broker keeps 5 MiB of each partition, and forgets the rest, read or not. */
const maxAhead = 1_000;
const largeBytes = 500_000;
const directBatch = 50;

/** Sends odd records through Kafka and a history worker, and finds out what became of each. */
export async function runStandstill(options: StandstillOptions): Promise<StandstillReport> {
  const { brokers, database, records, seed, patienceMs = 30_000, without = [] } = options;
  const troubles = new Map<number, Trouble>();
  const log = troubleLog((trouble) => troubles.set(trouble.partition, trouble));
  const history = createSignalHistory({ database, accept: () => true, env: false, log });
  await history.migrate();
  const writer = await openOddWriter(brokers, topic, partitions);
  const worker = startHistoryWorker({
    database,
    history: { accept: () => true },
    kafka: {
      brokers,
      topic,
      groupId: "standstill",
      deadLetterTopic: "dead-letters",
      properties: { "group.protocol": "consumer", "fetch.wait.max.ms": 10 },
    },
    // What is compacted could not be looked for.
    compactEveryMs: 86_400_000,
    maxBackoffMs: 500,
    env: false,
    log,
  });

  const recordOf = createOddRecords(seed);
  const sent = new Uint8Array(records);
  const heapMb = createHeapGauge();
  const startedAt = performance.now();
  const tenths: Progress[] = [];
  let written = 0;
  let direct: SessionActivityEvent[] = [];

  /** How many records the worker is done with, one way or another. */
  function done(): number {
    const { handled = 0, invalid = {} } = worker.stats().consumer ?? {};
    return handled + sum(invalid);
  }

  /** Waits until there is room for more. Answers false if nothing moves. */
  async function untilAhead(limit: number): Promise<boolean> {
    let last = done();
    for (let since = performance.now(); written - last > limit; await pause(2)) {
      const now = done();
      if (now !== last) since = performance.now();
      else if (performance.now() - since > patienceMs) return false;
      last = now;
    }
    return true;
  }

  async function send(number: number): Promise<boolean> {
    const { kind, fate, content } = recordOf(number);
    if (without.some((part) => kind.includes(part))) return true;
    sent[number] = markOf(fate);
    if (content.to === "history") {
      direct.push(content.event);
      if (direct.length >= directBatch) await flushDirect();
      return true;
    }
    if (!(await untilAhead((content.value?.length ?? 0) > largeBytes ? 0 : maxAhead))) return false;
    await writer.write(number, content.value);
    written += 1;
    return true;
  }

  async function flushDirect(): Promise<void> {
    const batch = direct;
    direct = [];
    await history.recordBatch(batch).catch(() => {
      // What was not recorded is found missing.
    });
  }

  function noteTenth(number: number): void {
    if ((number + 1) % Math.ceil(records / 10) !== 0) return;
    const progress = {
      written: number + 1,
      seconds: Math.round((performance.now() - startedAt) / 1_000),
      heapMb: Math.round(heapMb()),
      residentMb: Math.round(process.memoryUsage.rss() / 2 ** 20),
    };
    tenths.push(progress);
    options.onTenth?.(progress);
  }

  async function sendAll(): Promise<boolean> {
    for (let number = 0; number < records; number += 1) {
      if (!(await send(number))) return false;
      noteTenth(number);
    }
    await flushDirect();
    return untilAhead(0);
  }

  /** What the log said last of a partition, and which of the records from there on are refused. */
  async function describeTrouble({ partition, offset, kind, code }: Trouble): Promise<string> {
    const refused: string[] = [];
    for (let at = offset; at < offset + handledAtOnce; at += 1) {
      const number = writer.numberAt(partition, at);
      if (number !== undefined) refused.push(...(await refusalOf(recordOf(number))));
    }
    const what = refused.length === 0 ? "no single event" : refused.join("; ");
    return `${kind} ${code}, partition ${partition}, offset ${offset}; the history refuses ${what}`;
  }

  async function refusalOf({ kind, content, fate }: OddRecord): Promise<string[]> {
    if (content.to !== "kafka" || fate === "poison") return [];
    try {
      await history.record(fromBinary(SessionActivityEventSchema, content.value ?? nothing));
      return [];
    } catch (error) {
      return error instanceof Error && "code" in error ? [`${kind} (${String(error.code)})`] : [];
    }
  }

  async function standingAt(): Promise<string[]> {
    const places = await Promise.all([...troubles.values()].map(describeTrouble));
    return places.length > 0 ? places : ["nothing moves, and the log does not say where"];
  }

  const isThrough = await sendAll();
  const stats = [history.stats(), worker.stats().history];
  const invalid = sum(worker.stats().consumer?.invalid ?? {});
  const standsAt = isThrough ? [] : await standingAt();
  await Promise.all([worker.close(), writer.close()]);
  const found = await recordedNumbers(database, records);
  const [missing, surplus] = compare(sent, found, (number) => recordOf(number).kind);
  return {
    standsAt,
    missing: isThrough ? missing : {},
    surplus,
    sent: { recorded: countOf("recorded"), silent: countOf("silent"), poison: countOf("poison") },
    counted: {
      silent: stats.reduce((total, { notRecorded }) => total + (notRecorded.no_signals ?? 0), 0),
      poison: invalid + stats.reduce((total, one) => total + poisonIn(one), 0),
    },
    tenths,
  };

  function countOf(fate: Fate): number {
    return sent.reduce((total, one) => total + Number(one === markOf(fate)), 0);
  }
}

/** Where a partition had trouble, as the log says. */
interface Trouble {
  readonly partition: number;
  readonly offset: number;
  readonly kind: string;
  readonly code: string;
}

/** As many as a consumer's handler gets. */
const handledAtOnce = 100;
const nothing = new Uint8Array(0);

function poisonIn({ notRecorded }: SignalHistoryStats): number {
  const { no_signals: _, not_accepted: __, ...poison } = notRecorded;
  return sum(poison);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function markOf(fate: Fate): number {
  return fates.indexOf(fate) + 1;
}

function compare(sent: Uint8Array, found: Uint8Array, kindOf: (number: number) => string): [ByKind, ByKind] {
  const missing: Record<string, number> = {};
  const surplus: Record<string, number> = {};
  for (const [number, mark] of sent.entries()) {
    const isExpected = mark === markOf("recorded");
    if (isExpected === (found[number] === 1)) continue;
    const list = isExpected ? missing : surplus;
    for (const kind of kindOf(number).split(" + ")) list[kind] = (list[kind] ?? 0) + 1;
  }
  return [missing, surplus];
}

function troubleLog(onTrouble: (trouble: Trouble) => void): Logger {
  function note(details: object): void {
    const { partition, offset, kind, code = "" }: Partial<Record<keyof Trouble, unknown>> = details;
    if (typeof partition !== "number" || typeof offset !== "number") return;
    onTrouble({ partition, offset, kind: String(kind), code: String(code) });
  }
  return { debug() {}, info() {}, warn: (details) => note(details), error: (details) => note(details) };
}
