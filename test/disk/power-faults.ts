import { createEventRecord } from "../../src/publishing/event-record.js";
import { type Recovery, twinsOf } from "./recovery.js";

/** What the process was told, and told others, before its power was lost. */
export class Promises {
  readonly called: Set<string> = new Set();
  readonly begun: Set<string> = new Set();
  /** The bytes that the publisher was handed, by event. */
  readonly offered: Map<string, string> = new Map();
  readonly delivered: Set<string> = new Set();

  /** Takes a line that the process wrote. */
  note(line: string): void {
    const [word, id = "", bytes = ""] = line.split(" ");
    if (word === "offered") this.offered.set(id, bytes);
    else if (word === "called" || word === "begun" || word === "delivered") this[word].add(id);
    else throw new Error(`nobody has thought of the mark ${word}`);
  }
}

/** What did not hold, and what shows that there was something to hold. */
export interface PowerCounts {
  /** Events whose call had begun, or that were finished, which neither Kafka has nor the disk. */
  lost: number;
  twins: number;
  invented: number;
  /** States with which recovery came to no end. */
  stuck: number;
  recovered: number;
  interrupted: number;
  replayed: number;
  /** Spools that were set aside as damaged. */
  damaged: number;
}

/** Counts of no state at all. */
export function noCounts(): PowerCounts {
  return { lost: 0, twins: 0, invented: 0, stuck: 0, recovered: 0, interrupted: 0, replayed: 0, damaged: 0 };
}

/** Adds what one state shows. */
export function addState(counts: PowerCounts, promises: Promises, { records, spool, isStuck }: Recovery): void {
  const found = new Set(records.map(({ eventId }) => eventId));
  for (const id of new Set([...promises.begun, ...promises.offered.keys()])) {
    if (!promises.delivered.has(id) && !found.has(id)) counts.lost += 1;
  }
  const before = [...promises.offered.values()].map((bytes) => Buffer.from(bytes, "base64"));
  const all = [...before, ...records.map(({ bytes }) => Buffer.from(bytes))];
  counts.twins += twinsOf(
    all.map((bytes) => ({ event: createEventRecord(bytes).decode(), content: bytes.toString("base64") })),
  ).length;
  for (const id of found) {
    if (!promises.called.has(id)) counts.invented += 1;
    if (promises.delivered.has(id)) counts.replayed += 1;
  }
  counts.stuck += isStuck ? 1 : 0;
  counts.recovered += found.size;
  counts.interrupted += spool.interrupted;
  counts.damaged += spool.damaged;
}
