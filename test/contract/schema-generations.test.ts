import { readFileSync } from "node:fs";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { DurationSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { expect, it } from "vitest";
import { activity } from "../../gen/sessionactivity/v1/options_pb.js";
import { SessionActivityEventSchema } from "../../src/index.js";

// The schema as it was published first, which `npm run breaking` compares with, too.
const image = readFileSync(new URL("../../proto/sessionactivity.baseline.binpb", import.meta.url));
const baseline = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
const former = baseline.getMessage(SessionActivityEventSchema.typeName);
if (former === undefined) throw new Error("the baseline has no events");

it("a reader of the former schema reads a new event, and hands on what it does not know", () => {
  const event = create(SessionActivityEventSchema, {
    eventId: "one",
    status: "DEADLINE_EXCEEDED",
    statusInferred: true,
    attempt: 2,
    timeout: create(DurationSchema, { seconds: 5n }),
  });
  expect(former.fields.map(({ number }) => number)).toEqual(Array.from({ length: 18 }, (_, index) => index + 1));
  const read = fromBinary(former, toBinary(SessionActivityEventSchema, event));
  expect(reflect(former, read).get(former.field["eventId"]!)).toBe("one");
  expect(reflect(former, read).get(former.field["status"]!)).toBe("DEADLINE_EXCEEDED");
  expect(fromBinary(SessionActivityEventSchema, toBinary(former, read))).toEqual(event);
});

it("a new reader reads an event of a former writer, and finds nothing inferred", () => {
  const written = create(former);
  reflect(former, written).set(former.field["eventId"]!, "one");
  reflect(former, written).set(former.field["status"]!, "CANCELLED");
  const read = fromBinary(SessionActivityEventSchema, toBinary(former, written));
  expect(read).toMatchObject({ eventId: "one", status: "CANCELLED", statusInferred: false, attempt: 0 });
  expect(read.timeout).toBeUndefined();
});

it("the option has the number that it was published with, which `buf breaking` does not look at", () => {
  const { number, extendee } = baseline.getExtension(activity.typeName) ?? {};
  expect([activity.number, activity.extendee.typeName]).toEqual([number, extendee?.typeName]);
  expect(number).toBe(51_733);
});
