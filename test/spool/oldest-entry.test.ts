import { expect, test } from "vitest";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import { OldestEntry } from "../../src/spool/oldest-entry.js";
import { eventOf } from "../kafka/kafka-fixtures.js";

const now = 1_760_000_000_000;

function recordAt(startedAtMs: number): EventRecord {
  const seconds = BigInt(Math.floor(startedAtMs / 1_000));
  return createEventRecord(eventOf(1, { startedAt: { $typeName: "google.protobuf.Timestamp", seconds, nanos: 0 } }));
}

test("is the age of the oldest that is left, to 10 s", () => {
  const entries = new OldestEntry();
  expect(entries.ageMs(now)).toBe(0);
  entries.add(recordAt(now - 5_000));
  entries.add(recordAt(now - 120_000));
  entries.add(recordAt(now - 120_000));
  expect(entries.ageMs(now)).toBeLessThanOrEqual(120_000);
  expect(entries.ageMs(now)).toBeGreaterThan(110_000 - 1);
  entries.remove(recordAt(now - 120_000));
  expect(entries.ageMs(now)).toBeGreaterThan(100_000);
  entries.remove(recordAt(now - 120_000));
  expect(entries.ageMs(now)).toBe(0);
  expect(entries.ageMs(now + 60_000)).toBeGreaterThan(50_000);
  entries.remove(recordAt(now - 5_000));
  expect(entries.ageMs(now + 3_600_000)).toBe(0);
});

test("an event without a start has no age, and one of the future has none yet", () => {
  const entries = new OldestEntry();
  entries.add(createEventRecord(eventOf(1, { startedAt: undefined as never })));
  expect(entries.ageMs(now)).toBe(0);
  entries.add(recordAt(now + 60_000));
  expect(entries.ageMs(now)).toBe(0);
});
