import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SessionActivityEventSchema } from "../../src/index.js";
import { beginEvent, completeEvent } from "../../src/service/event.js";

const source = { service: "account-service", instanceId: "instance", maxContextBytes: 100 };
const mark = { context: "abc", operation: undefined, signature: "", hasSignature: false, traceparent: "" };
const begin = () => beginEvent(source, "/a.B/C", mark);
const nanosOf = (time: { seconds: bigint; nanos: number }): bigint =>
  time.seconds * 1_000_000_000n + BigInt(time.nanos);

it("keeps started_at plus duration equal to completed_at, in values that protobuf allows", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (durationMs) => {
      const event = begin();
      completeEvent(event, { status: "OK", handlerStatus: "", at: 0 }, durationMs);
      const { startedAt, duration, completedAt } = fromBinary(
        SessionActivityEventSchema,
        toBinary(SessionActivityEventSchema, event),
      );
      expect(nanosOf(completedAt!)).toBe(nanosOf(startedAt!) + nanosOf(duration!));
      for (const { nanos } of [startedAt!, duration!, completedAt!]) {
        expect(nanos).toBeGreaterThanOrEqual(0);
        expect(nanos).toBeLessThan(1e9);
      }
      expect(Math.abs(Number(nanosOf(duration!)) / 1e6 - durationMs)).toBeLessThan(0.001);
    }),
  );
});

it("mints ids of version 7, which hold their time and never repeat", () => {
  const before = Date.now();
  const ids = Array.from({ length: 10_000 }, () => begin().eventId);
  const after = Date.now();
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) {
    expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    const time = Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(after);
  }
});

it("takes the label as the action, else the procedure, and leaves out a context over the bound", () => {
  expect(begin().action).toBe("/a.B/C");
  expect(beginEvent(source, "/a.B/C", { ...mark, operation: "login" }).action).toBe("login");
  const large = beginEvent(source, "/a.B/C", { ...mark, context: "x".repeat(101) });
  expect(large).toMatchObject({ encodedSessionContext: "", contextProblem: "too_large" });
  // In UTF-8, a context that is not ASCII has twice as many bytes.
  expect(beginEvent(source, "/a.B/C", { ...mark, context: "é".repeat(51) }).contextProblem).toBe("too_large");
  expect(timestampMs(large.startedAt!)).toBeLessThanOrEqual(Date.now());
});
