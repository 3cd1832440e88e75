import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createEventRecord, SessionActivityEventSchema } from "../../src/index.js";
import { isEventRecord } from "../../src/publishing/event-record.js";

const event = create(SessionActivityEventSchema, {
  eventId: "event-1",
  instanceId: "instance",
  service: "account-service",
  status: "OK",
  sequence: 2n ** 64n - 1n,
  traceparent: "traceparent",
  startedAt: { seconds: 1_760_000_000n, nanos: 500_000_000 },
});

test("holds the bytes of the event, and what is known of it", () => {
  const record = createEventRecord(event);
  expect(record).toMatchObject({
    eventId: "event-1",
    instanceId: "instance",
    service: "account-service",
    sequence: 2n ** 64n - 1n,
    startedAtMs: 1_760_000_000_500,
    traceparent: "traceparent",
  });
  expect(record.bytes).toEqual(toBinary(SessionActivityEventSchema, event));
  expect(createEventRecord(create(SessionActivityEventSchema)).startedAtMs).toBeUndefined();
});

test("is not changed by what is done to the event, before or after", () => {
  const changed = create(SessionActivityEventSchema, { eventId: "event-1" });
  const record = createEventRecord(changed);
  changed.eventId = "event-2";
  record.decode().eventId = "event-3";
  expect(record.decode().eventId).toBe("event-1");
});

test("of bytes keeps these, also if they are not those that protobuf-es would write", () => {
  // A later field first, and one that this version does not know.
  const bytes = Buffer.concat([
    toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, { status: "OK", sequence: 3n })),
    Buffer.from([0xba, 0x3e, 1, 120]),
    toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, { eventId: "event-1" })),
  ]);
  const record = createEventRecord(bytes);
  expect(record.bytes).toBe(bytes);
  expect(record).toMatchObject({ eventId: "event-1", sequence: 3n });
  expect(record.decode().status).toBe("OK");
});

test("a recovered event is made of the record of its start", () => {
  const start = createEventRecord(create(SessionActivityEventSchema, { eventId: "event-1", instanceId: "instance" }));
  const recovered = fromBinary(SessionActivityEventSchema, start.bytes);
  Object.assign(recovered, { interrupted: true, sequence: 7n });
  const record = createEventRecord(recovered);
  expect(record).toMatchObject({ eventId: "event-1", instanceId: "instance", sequence: 7n });
  expect(equals(SessionActivityEventSchema, record.decode(), recovered)).toBe(true);
});

test("throws for a value that cannot be encoded, and for bytes that hold no event", () => {
  expect(() => createEventRecord(Buffer.from("no event"))).toThrow();
  expect(() => createEventRecord(Object.assign(create(SessionActivityEventSchema), { sequence: -1n }))).toThrow();
});

test("is told from what is not one", () => {
  const record = createEventRecord(event);
  expect(isEventRecord(record)).toBe(true);
  expect(isEventRecord({ ...record, bytes: Buffer.from([]) })).toBe(true);
  const wrong = [
    { bytes: null },
    { bytes: "text" },
    { bytes: [1] },
    { eventId: 1 },
    { service: null },
    { traceparent: {} },
  ];
  for (const other of [undefined, null, 7, "text", event, ...wrong.map((one) => ({ ...record, ...one }))]) {
    expect(isEventRecord(other)).toBe(false);
  }
});
