import { describe, expect, test } from "vitest";
import {
  frameHeader,
  frameOf,
  isEventFrame,
  schemaIdHeader,
  schemaIdOption,
  unframe,
} from "../../../src/kafka/client/schema-frame.js";

const guid = "89791762-2336-4186-9674-299b90a802e2";
const value = Buffer.of(0x0a, 1, 0x41);

test.each([
  [42, "000000002a00"],
  [2_147_483_647, "007fffffff00"],
  [guid, "0189791762233641869674299b90a802e200"],
])("the frame of %s is %s", (schemaId, hex) => {
  expect(frameOf(schemaId).toString("hex")).toBe(hex);
  const framed = unframe(Buffer.concat([frameOf(schemaId), value]), []);
  expect(framed).toEqual({ payload: value, frame: { schemaId, in: "prefix", messageIndexes: [0] } });
  const [key, header] = Object.entries(frameHeader(schemaId))[0]!;
  expect(key).toBe(schemaIdHeader);
  const inHeader = unframe(value, [{ key, value: Buffer.from(header) }]);
  expect(inHeader).toEqual({ payload: value, frame: { schemaId, in: "header", messageIndexes: [0] } });
});

describe("a value", () => {
  test("without a frame is as it came", () => {
    expect(unframe(value, [{ key: "content-type", value: Buffer.from("x") }])).toEqual({
      payload: value,
      frame: undefined,
    });
    expect(unframe(new Uint8Array(), [])).toEqual({ payload: new Uint8Array(), frame: undefined });
  });

  test("of another message of its schema says which one", () => {
    // Two indexes, 1 and 2, in zigzag form.
    const frame = unframe(Buffer.from("000000002a040204", "hex"), []).frame;
    expect(frame?.messageIndexes).toEqual([1, 2]);
    expect(isEventFrame(frame)).toBe(false);
    expect(isEventFrame(unframe(frameOf(1), []).frame)).toBe(true);
    expect(isEventFrame(undefined)).toBe(true);
  });

  test.each([
    "00",
    "0000",
    "000000002a",
    "000000002a02",
    "000000002affffffff0f",
    "000000002a8008",
    "000000002a01",
    "01898989",
  ])("whose frame is broken, as %s, stays as it is", (hex) => {
    const bytes = Buffer.from(hex, "hex");
    expect(unframe(bytes, [])).toEqual({ payload: bytes, frame: undefined });
  });

  test("takes the last header, as the registry's readers do", () => {
    const headers = [1, 2].map((id) => ({ key: schemaIdHeader, value: frameOf(id) }));
    expect(unframe(value, headers).frame?.schemaId).toBe(2);
    expect(unframe(value, [{ key: schemaIdHeader, value: Buffer.from("nonsense") }]).frame).toBeUndefined();
  });
});

test.each([
  ["42", 42],
  [guid, guid],
  ["0", undefined],
  ["2147483648", undefined],
  ["schema", undefined],
])("the variable %s gives %s", (given, expected) => {
  expect(schemaIdOption.read(schemaIdOption.parse?.(given))).toBe(expected);
});
