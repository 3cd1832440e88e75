import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { RunTable } from "../../src/console/run-table.js";
import { SessionActivityRunSchema } from "../../src/index.js";

const start = 1_790_000_000_000;
const minute = 60_000;

function recordOf(run: MessageInitShape<typeof SessionActivityRunSchema>, at = start): Uint8Array {
  return toBinary(
    SessionActivityRunSchema,
    create(SessionActivityRunSchema, { service: "s", at: timestampFromMs(at), ...run }),
  );
}

it("tells runs that are open, closed, and dead", () => {
  const table = new RunTable(start);
  table.takeRecord(recordOf({ instanceId: "open", state: "RUNNING" }), start, start);
  table.takeRecord(recordOf({ instanceId: "ended", state: "ENDED" }, start - 90 * minute), start, start);
  table.takeRecord(recordOf({ instanceId: "recovered", state: "RECOVERED" }, start - 90 * minute), start, start);
  table.takeRecord(recordOf({ instanceId: "dead", state: "RUNNING" }, start - 6 * minute), start, start);
  table.takeEvent("mute", "s", 1n, start);
  expect(table.counts(start)).toMatchObject({ open: 1, closed: 2, dead: 1, unknown: 1 });
  // A run whose end came before what it said earlier stays closed.
  table.takeRecord(recordOf({ instanceId: "ended", state: "RUNNING" }, start), start, start);
  expect(table.counts(start + 6 * minute)).toMatchObject({ open: 0, closed: 2, dead: 2 });
  expect(table.list(start).runs[0]).toMatchObject({ instanceId: "dead", state: "dead" });
});

it("counts a declared loss once, and does not take it for a hole", () => {
  const table = new RunTable(start);
  table.takeEvent("run", "s", 1n, start);
  table.takeEvent("run", "s", 5n, start);
  const losses = [
    { sequence: 2n, reason: "queue_full" },
    { sequence: 3n, reason: "expired" },
  ];
  const record = recordOf({ instanceId: "run", state: "RUNNING", lastSequence: 5n, confirmedSequence: 5n, losses });
  expect(table.takeRecord(record, start, start)).toBe(2);
  expect(table.takeRecord(record, start, start)).toBe(0);
  expect(table.counts(start + minute)).toMatchObject({ declared: 2, holes: "1" });
  expect(table.list(start + minute).runs).toMatchObject([{ declared: { queue_full: 1, expired: 1 }, holes: "1" }]);
});

it("misses what a run has confirmed and what an ended run has given, and nothing that is on its way", () => {
  const table = new RunTable(start);
  table.takeRecord(recordOf({ instanceId: "run", state: "STARTED" }), start, start);
  table.takeRecord(
    recordOf({ instanceId: "run", state: "RUNNING", lastSequence: 9n, confirmedSequence: 4n }),
    start,
    start,
  );
  expect(table.counts(start + minute).holes).toBe("4");
  table.takeRecord(recordOf({ instanceId: "run", state: "ENDED", lastSequence: 9n }), start, start);
  expect(table.counts(start + minute).holes).toBe("9");
});

it("says nothing of numbers that were given before it looked", () => {
  const table = new RunTable(start);
  table.takeRecord(
    recordOf({ instanceId: "run", state: "RUNNING", lastSequence: 9n, confirmedSequence: 9n }),
    start - minute,
    start,
  );
  table.takeEvent("run", "s", 10n, start);
  expect(table.counts(start + minute).holes).toBe("0");
});

it("has bounds, and takes what is not a run record for nothing", () => {
  const table = new RunTable(start);
  expect(table.takeRecord(Buffer.from("no record"), start, start)).toBe(0);
  expect(table.takeRecord(recordOf({ state: "RUNNING" }), start, start)).toBe(0);
  for (let run = 0; run < 12_000; run += 1) table.takeEvent(`run-${run}`, "s".repeat(1_000), 1n, start);
  const { unknown } = table.counts(start);
  expect(unknown).toBeGreaterThan(9_000);
  expect(unknown).toBeLessThanOrEqual(10_000);
  const { runs, left } = table.list(start);
  expect([runs.length, left]).toEqual([500, unknown - 500]);
});
