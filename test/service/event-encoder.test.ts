import { create, fromBinary, isFieldSet, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type SessionActivityEvent, SessionActivityEventSchema } from "../../src/index.js";
import type { OpenEvent } from "../../src/service/event.js";
import { encodeEvent } from "../../src/service/event-encoder.js";

const nothing: OpenEvent = {
  eventId: "",
  encodedSessionContext: "",
  service: "",
  action: "",
  procedure: "",
  instanceId: "",
  traceparent: "",
  contextVerified: false,
  contextProblem: "",
  markSignature: "",
  startedAtMs: 0,
  timeoutMs: undefined,
  attempt: 0,
  attributes: undefined,
  status: "",
  handlerStatus: "",
  statusInferred: false,
  durationMs: undefined,
};

/** Every field has a value of its own, so that a mix-up shows. */
const full: OpenEvent = {
  eventId: "event",
  encodedSessionContext: "context",
  service: "service",
  action: "action",
  procedure: "/procedure",
  instanceId: "instance",
  traceparent: "traceparent",
  contextVerified: true,
  contextProblem: "too_large",
  markSignature: "signature",
  startedAtMs: 1_760_000_000_999,
  timeoutMs: 1_234.567_891,
  attempt: 300,
  attributes: { target: "user/42", empty: "", "7": "seven" },
  status: "OK",
  handlerStatus: "CANCELLED",
  statusInferred: true,
  durationMs: 2_001.000_002,
};

/** The message of the same event, by protobuf-es. */
function messageOf(event: OpenEvent, sequence: bigint): SessionActivityEvent {
  const { startedAtMs, durationMs, timeoutMs, status, handlerStatus, attributes = {}, ...same } = event;
  const time = (nanos: bigint) => ({ seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) });
  const nanosOf = (ms: number) =>
    BigInt(Math.floor(ms / 1_000)) * 1_000_000_000n + BigInt(Math.round((ms % 1_000) * 1e6));
  const started = nanosOf(startedAtMs);
  const lasted = durationMs === undefined ? undefined : BigInt(Math.round(durationMs * 1e6));
  return create(SessionActivityEventSchema, {
    ...same,
    status,
    handlerStatus,
    attributes,
    sequence,
    startedAt: create(TimestampSchema, time(started)),
    ...(timeoutMs !== undefined && { timeout: create(DurationSchema, time(nanosOf(timeoutMs))) }),
    ...(lasted !== undefined && {
      duration: create(DurationSchema, time(lasted)),
      completedAt: create(TimestampSchema, time(started + lasted)),
    }),
  });
}

function expectSame(event: OpenEvent, sequence = 1n): void {
  const record = encodeEvent(event, sequence);
  const bytes = toBinary(SessionActivityEventSchema, messageOf(event, sequence));
  expect(Buffer.from(record.bytes).toString("hex")).toBe(Buffer.from(bytes).toString("hex"));
  const { eventId, instanceId, service, startedAtMs, traceparent } = event;
  expect(record).toMatchObject({ eventId, instanceId, service, startedAtMs, traceparent, sequence });
}

describe("gives the bytes of protobuf-es", () => {
  test("for an event without anything", () => expectSame(nothing, 0n));

  test("for an event of nothing but one field", () => {
    for (const name of Object.keys(nothing) as (keyof OpenEvent)[]) expectSame({ ...nothing, [name]: full[name] }, 0n);
  });

  test("for an event that has every field of the schema, but for the one that is for recovered events", () => {
    expectSame(full, 2n ** 53n - 1n);
    const event = encodeEvent(full, 1n).decode();
    const unset = SessionActivityEventSchema.fields.filter((field) => !isFieldSet(event, field));
    expect(unset.map(({ name }) => name)).toEqual(["interrupted"]);
  });

  test("for any event", () => {
    fc.assert(
      fc.property(events, fc.bigInt(0n, 2n ** 53n - 1n), (event, sequence) => expectSame(event, sequence)),
      { numRuns: 500 },
    );
  });

  test("for lengths around those where they take another byte, and where the scratch space ends", () => {
    for (const length of [63, 64, 65, 127, 128, 16_383, 16_384, 21_000, 22_000, 65_000, 66_000, 200_000]) {
      for (const unit of ["x", "ä", "€", "😀"]) expectSame({ ...full, encodedSessionContext: unit.repeat(length) });
    }
    expectSame(full);
  });

  test("for texts with half a surrogate pair", () => {
    const attributes = { "\uD800": "\uDC00", ["\uD800".repeat(100)]: "x" };
    expectSame({ ...full, service: "\uD800", action: "a\uDC00b", attributes });
  });
});

test("a start has no end and no number", () => {
  const start = { ...full, status: "", handlerStatus: "", statusInferred: false, durationMs: undefined } as const;
  const event = encodeEvent(start, 0n).decode();
  expect(event).toMatchObject({ eventId: "event", sequence: 0n, status: "" });
  expect([event.duration, event.completedAt]).toEqual([undefined, undefined]);
});

test("the bytes stay as they are when the next event is encoded", () => {
  const { bytes } = encodeEvent(full, 1n);
  const copy = Uint8Array.from(bytes);
  encodeEvent({ ...full, service: "another" }, 2n);
  expect(Uint8Array.from(bytes)).toEqual(copy);
  expect(fromBinary(SessionActivityEventSchema, bytes).service).toBe("service");
});

const text = fc.oneof(fc.constant(""), fc.string({ unit: "binary", maxLength: 300 }));
const maxTimeoutMs = 315_576_000_000_000;

const events: fc.Arbitrary<OpenEvent> = fc.record({
  eventId: text,
  encodedSessionContext: text,
  service: text,
  action: text,
  procedure: text,
  instanceId: text,
  traceparent: text,
  contextVerified: fc.boolean(),
  contextProblem: fc.constantFrom("", "missing", "too_large"),
  markSignature: text,
  startedAtMs: fc.integer({ min: 0, max: 8_640_000_000_000_000 }),
  timeoutMs: fc.option(fc.double({ min: 0, max: maxTimeoutMs, noNaN: true }), { nil: undefined }),
  attempt: fc.integer({ min: 0, max: 10_000 }),
  attributes: fc.option(fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 10 }), { nil: undefined }),
  status: fc.constantFrom("", "OK", "UNSETTLED"),
  handlerStatus: fc.constantFrom("", "OK", "UNSETTLED"),
  statusInferred: fc.boolean(),
  durationMs: fc.option(fc.double({ min: 0, max: 1e9, noNaN: true }), { nil: undefined }),
});
