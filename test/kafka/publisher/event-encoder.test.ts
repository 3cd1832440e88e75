import { create, type DescField, type MessageInitShape, ScalarType, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { encodeEvent } from "../../../src/kafka/publisher/event-encoder.js";
import { eventOf } from "../kafka-fixtures.js";

function expectSame(event: SessionActivityEvent): void {
  expect(Buffer.from(encodeEvent(event)).toString("hex")).toBe(
    Buffer.from(toBinary(SessionActivityEventSchema, event)).toString("hex"),
  );
}

describe("gives the bytes of toBinary", () => {
  test("for the empty event", () => {
    expectSame(create(SessionActivityEventSchema));
  });

  test.each(SessionActivityEventSchema.fields.map((field): [string, DescField] => [field.name, field]))(
    "for an event of nothing but %s",
    (_name, field) => {
      const event = create(SessionActivityEventSchema);
      const message = reflect(SessionActivityEventSchema, event);
      if (field.fieldKind === "map") message.get(field).set("key", "value");
      else if (field.fieldKind === "message")
        message.set(field, reflect(field.message, create(field.message, someTime)));
      else if (field.fieldKind === "scalar") message.set(field, someScalar[field.scalar]!);
      expect(toBinary(SessionActivityEventSchema, event).length).toBeGreaterThan(0);
      expectSame(event);
    },
  );

  test("for any event", () => {
    fc.assert(
      fc.property(events, (init) => expectSame(create(SessionActivityEventSchema, init))),
      { numRuns: 500 },
    );
  });

  test("for lengths around those where they take another byte, and where the scratch space ends", () => {
    for (const length of [127, 128, 16_383, 16_384, 21_000, 22_000, 65_000, 66_000, 200_000]) {
      for (const unit of ["x", "ä", "€", "😀"]) expectSame(eventOf(1, { encodedSessionContext: unit.repeat(length) }));
    }
  });

  test("for texts with half a surrogate pair", () => {
    expectSame(eventOf(1, { service: "\uD800", action: "a\uDC00b", attributes: { "\uD800": "\uDC00" } }));
  });

  test("for unknown fields, in the event and within", () => {
    const unknown = [{ no: 99, wireType: 0, data: new Uint8Array([5]) }];
    expectSame(Object.assign(eventOf(1), { $unknown: unknown }));
    const startedAt = Object.assign(create(TimestampSchema, someTime), { $unknown: unknown });
    expectSame(Object.assign(eventOf(1), { startedAt }));
  });
});

test("throws where toBinary throws", () => {
  for (const wrong of [
    { sequence: -1n },
    { sequence: 2n ** 64n },
    { sequence: "x" },
    { attempt: -1 },
    { attempt: 2 ** 32 },
    { attempt: 0.5 },
    { attributes: null },
    { startedAt: { seconds: "x" } },
  ]) {
    const event = Object.assign(eventOf(1), wrong);
    expect(() => toBinary(SessionActivityEventSchema, event)).toThrow();
    expect(() => encodeEvent(event)).toThrow();
  }
});

test("the bytes stay as they are when the next event is encoded", () => {
  const first = encodeEvent(eventOf(1));
  const copy = Uint8Array.from(first);
  encodeEvent(eventOf(2, { service: "another" }));
  expect(first).toEqual(Buffer.from(copy));
});

const someTime = { seconds: 1_760_000_000n, nanos: 123_456_789 };

const someScalar: Partial<Record<ScalarType, string | bigint | number | boolean>> = {
  [ScalarType.STRING]: "text",
  [ScalarType.UINT32]: 300,
  [ScalarType.UINT64]: 300n,
  [ScalarType.BOOL]: true,
};

const text = fc.oneof(fc.constant(""), fc.string({ unit: "binary", maxLength: 300 }));
const time = fc.option(
  fc.record({
    seconds: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    nanos: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  }),
  { nil: undefined },
);
const usualTime = fc.record({ seconds: fc.bigInt(0n, 2n ** 40n), nanos: fc.integer({ min: 0, max: 999_999_999 }) });
const timestamp = fc.oneof(time, usualTime).map((init) => init && create(TimestampSchema, init));
const duration = fc.oneof(time, usualTime).map((init) => init && create(DurationSchema, init));

const events: fc.Arbitrary<MessageInitShape<typeof SessionActivityEventSchema>> = fc.record({
  eventId: text,
  encodedSessionContext: text,
  service: text,
  action: text,
  status: text,
  duration,
  startedAt: timestamp,
  completedAt: timestamp,
  procedure: text,
  handlerStatus: text,
  instanceId: text,
  sequence: fc.bigInt(0n, 2n ** 64n - 1n),
  traceparent: text,
  interrupted: fc.boolean(),
  contextVerified: fc.boolean(),
  contextProblem: text,
  markSignature: text,
  attributes: fc.dictionary(text, text, { noNullPrototype: true, maxKeys: 10 }),
  timeout: duration,
  statusInferred: fc.boolean(),
  attempt: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
});
