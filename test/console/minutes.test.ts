import { expect, it } from "vitest";
import { Minutes } from "../../src/console/minutes.js";

const now = 1_790_000_040_000;
const minute = 60_000;

it("counts calls by the minute of their end, by status, and what is unverified and dropped beside them", () => {
  const minutes = new Minutes();
  minutes.add(now, "OK", false, now);
  minutes.add(now, "OK", true, now);
  minutes.add(now - minute, "NOT_FOUND", false, now);
  minutes.add(now, "", false, now);
  minutes.addDropped(3, now);
  expect(minutes.list(now)).toEqual([
    { at: Math.floor((now - minute) / minute) * minute, byStatus: { NOT_FOUND: 1 }, unverified: 0, dropped: 0 },
    { at: Math.floor(now / minute) * minute, byStatus: { OK: 2, INTERRUPTED: 1 }, unverified: 1, dropped: 3 },
  ]);
});

it("puts what is old, or in somebody's future, where it came, and forgets what is older than an hour", () => {
  const minutes = new Minutes();
  minutes.add(now + 10 * minute, "OK", false, now);
  minutes.add(now - 100 * minute, "OK", false, now);
  minutes.add(0, "OK", false, now);
  expect(minutes.list(now)).toHaveLength(1);
  expect(minutes.list(now)[0]?.byStatus).toEqual({ OK: 3 });
  for (let later = 0; later < 500; later += 1) minutes.add(now + later * minute, "OK", false, now + later * minute);
  expect(minutes.list(now + 499 * minute)).toHaveLength(60);
});

it("tells apart the statuses that there are, and no others: a stranger could make up any number", () => {
  const minutes = new Minutes();
  for (let status = 0; status < 1_000; status += 1) minutes.add(now, `STATUS_${status}`, false, now);
  expect(minutes.list(now)[0]?.byStatus).toEqual({ OTHER: 1_000 });
});
