import { toBinary } from "@bufbuild/protobuf";
import { onTestFinished } from "vitest";
import { type HistoryWorker, startHistoryWorker } from "../../src/cli/history-worker.js";
import type { HistoryWorkerOptions } from "../../src/cli/worker-options.js";
import { createSignalHistory, type SignalDatabase } from "../../src/history/index.js";
import { type SessionActivityEvent, SessionActivityEventSchema } from "../../src/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { quick, write } from "../kafka/consumer/consumer-fixtures.js";

const countries = ["DE", "FR", "AT", "CH"];
const devices = ["phone", "laptop"];

/**
 * Events of ten sessions, whose country and device change now and then. Those of a session are spread over the partitions,
 * and so come in any order.
 */
export function sessionEvents(count: number): SessionActivityEvent[] {
  return Array.from({ length: count }, (_, number) =>
    eventOf({
      id: `event-${String(number).padStart(6, "0")}`,
      at: 1_760_000_000_000 + number * 1_000,
      session: `session-${number % 10}`,
      country: countries[Math.floor(number / 70) % countries.length]!,
      device: devices[Math.floor(number / 110) % devices.length]!,
    }),
  );
}

/** Writes events to partitions of a topic, by turns. */
export function writeSessionEvents(
  brokers: string,
  topic: string,
  events: readonly SessionActivityEvent[],
  partitions: readonly number[] = [0, 1, 2, 3],
): Promise<void> {
  const records = events.map((event, index) => ({
    partition: partitions[index % partitions.length]!,
    value: toBinary(SessionActivityEventSchema, event),
  }));
  return write(brokers, topic, records);
}

/** The whole history, as far as it says what changed by which event. */
export async function changesIn(database: SignalDatabase, schema?: string): Promise<string[]> {
  const changes = await createSignalHistory({ database, schema }).changes({ limit: 10_000 });
  return changes.map(({ sessionId, signal, value, previousValue, eventId }) =>
    [sessionId, signal, previousValue ?? "", value, eventId].join(" "),
  );
}

/** What the history must be: an event is a change where its session said something else the last time. */
export function changesOf(events: readonly SessionActivityEvent[]): string[] {
  const last = new Map<string, string>();
  const changes: string[] = [];
  for (const [number, { eventId }] of events.entries()) {
    const session = `session-${number % 10}`;
    const signals = {
      country: countries[Math.floor(number / 70) % countries.length]!,
      device_id: devices[Math.floor(number / 110) % devices.length]!,
    };
    for (const [signal, value] of Object.entries(signals)) {
      const before = last.get(`${session} ${signal}`);
      if (before !== value) changes.push([session, signal, before ?? "", value, eventId].join(" "));
      last.set(`${session} ${signal}`, value);
    }
  }
  return changes;
}

/** Starts a worker until the test is over. It joins its group fast. */
export function startWorker({ kafka, ...options }: HistoryWorkerOptions): HistoryWorker {
  const worker = startHistoryWorker({
    maxBackoffMs: 200,
    ...options,
    kafka: { closeTimeoutMs: 10_000, ...kafka, properties: { ...quick, ...kafka?.properties } },
  });
  onTestFinished(() => worker.close());
  return worker;
}

/** How the way to a database is. `answers lost`: what is asked is done, and nobody learns of it. */
export type Way = "open" | "cut" | "answers lost";

/** A database that can go away and come back. */
export interface FlakyDatabase extends SignalDatabase {
  way: Way;
  /** How often it was asked while it was away. */
  readonly refused: number;
}

/** Makes the way to a database one that fails as a server's does. */
export function flaky(database: SignalDatabase): FlakyDatabase {
  let refused = 0;
  return {
    way: "open",
    get refused() {
      return refused;
    },
    async query(text, values) {
      if (this.way !== "open") refused += 1;
      if (this.way === "cut") throw lost("connect ECONNREFUSED 127.0.0.1:5432", "ECONNREFUSED");
      const answer = await database.query(text, values);
      if (this.way === "answers lost") throw lost("read ECONNRESET", "ECONNRESET");
      return answer;
    },
  };
}

function lost(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
