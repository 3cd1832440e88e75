import { create, toBinary } from "@bufbuild/protobuf";
import { assert, dictionary, property, record, string, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSessionContext, encodeSessionContext } from "../../src/contract/session-context.js";
import { SessionContextSchema } from "../../src/index.js";
import { refusalOf } from "../support/refusal.js";

/** A value of a type that the compiler would refuse. */
const untyped = (json: string) => JSON.parse(json);

const full = {
  sessionId: "s-1",
  userId: "u-1",
  actorId: "support-7",
  organizationId: "acme",
  authMethod: "passkey",
  deviceId: "d-1",
  country: "DE",
  clientIp: "203.0.113.7",
  userAgent: "Mozilla/5.0",
  signals: { tls: "ja4", città: "Zürich 🚲" },
};

describe("encodeSessionContext and decodeSessionContext", () => {
  it("give back what went in", () => {
    const encoded = encodeSessionContext(full);
    expect(encoded).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(decodeSessionContext(encoded)).toMatchObject(full);
    expect(encoded).toBe(
      Buffer.from(toBinary(SessionContextSchema, create(SessionContextSchema, full))).toString("base64"),
    );
  });

  it("give back any text, and take base64 without padding", () => {
    const text = string({ unit: "grapheme", maxLength: 60 });
    const context = record({
      sessionId: string({ unit: "grapheme", minLength: 1, maxLength: 60 }),
      userId: text,
      userAgent: string({ maxLength: 100 }),
      signals: dictionary(
        text.filter((key) => key !== "__proto__"),
        text,
        { maxKeys: 8 },
      ),
    });
    assert(
      property(context, (one) => {
        const encoded = encodeSessionContext(one);
        expect(decodeSessionContext(encoded)).toEqual(create(SessionContextSchema, one));
        expect(decodeSessionContext(encoded.replace(/=+$/, ""))).toEqual(create(SessionContextSchema, one));
      }),
    );
  });

  it("keep fields that only a newer schema knows", () => {
    // Field 99, text "new", as a newer gateway would write it behind the fields of today.
    const known = Buffer.from(toBinary(SessionContextSchema, create(SessionContextSchema, full)));
    const newer = Buffer.concat([known, Buffer.from([0x9a, 0x06, 0x03, ...Buffer.from("new")])]);
    const context = decodeSessionContext(newer.toString("base64"));
    context.country = "FR";
    const again = Buffer.from(encodeSessionContext(context), "base64");
    expect(again.includes(Buffer.from([0x9a, 0x06, 0x03, ...Buffer.from("new")]))).toBe(true);
    expect(decodeSessionContext(again.toString("base64")).country).toBe("FR");
  });

  it("give back a signal with the name of a field that is empty, or that says the same", () => {
    const signals = { device_id: "d1", country: "DE", user_agent: "" };
    expect(
      decodeSessionContext(encodeSessionContext({ sessionId: "s", country: "DE", userAgent: "x", signals })),
    ).toMatchObject({
      deviceId: "",
      country: "DE",
      signals,
    });
  });

  it.each([
    ["device_id", { deviceId: "d2" }],
    ["session_id", {}],
  ])("refuse one that says another thing than the field, without its value: %s", (name, fields) => {
    expect(() => encodeSessionContext({ sessionId: "s", ...fields, signals: { [name]: "secret" } })).toThrow(
      new TypeError(
        `the session context says ${name} twice, as a field and in signals, with different values: give it once, as the field`,
      ),
    );
  });

  it("leave the given message as it was", () => {
    const given = create(SessionContextSchema, { sessionId: "s", userAgent: "x".repeat(2_000) });
    encodeSessionContext(given);
    expect(given.userAgent).toHaveLength(2_000);
  });
});

describe("the user agent, which the client supplies", () => {
  it.each([
    ["plain", "x".repeat(100_000), "x".repeat(512)],
    ["at the bound", "x".repeat(512), "x".repeat(512)],
    ["two-byte characters", `x${"é".repeat(400)}`, `x${"é".repeat(255)}`],
    ["four-byte characters", `xx${"🚲".repeat(400)}`, `xx${"🚲".repeat(127)}`],
    ["three-byte characters under the bound in characters", "€".repeat(171), "€".repeat(170)],
  ])("is cut to 512 bytes and never inside a character: %s", (_, userAgent, expected) => {
    const decoded = decodeSessionContext(encodeSessionContext({ sessionId: "s", userAgent }));
    expect(decoded).toMatchObject({ sessionId: "s", userAgent: expected });
  });

  it("never costs the mark, whatever it is", () => {
    assert(
      property(string({ unit: "binary", maxLength: 3_000 }), (userAgent) => {
        const decoded = decodeSessionContext(encodeSessionContext({ sessionId: "s", userAgent }));
        expect(Buffer.byteLength(decoded.userAgent)).toBeLessThanOrEqual(512);
        expect(decoded.sessionId).toBe("s");
      }),
    );
  });
});

describe("maxBytes", () => {
  const large = { sessionId: "x".repeat(8_997) };

  it("lets larger contexts through, both ways", () => {
    const encoded = encodeSessionContext(large, { maxBytes: 12_000 });
    expect(encoded).toHaveLength(12_000);
    expect(decodeSessionContext(encoded, { maxBytes: 12_000 })).toMatchObject(large);
    expect(() => encodeSessionContext(large, { maxBytes: 11_999 })).toThrow(
      new RangeError("an encoded session context may have 11999 characters, but this one has 12000"),
    );
    expect(() => decodeSessionContext(encoded, { maxBytes: 11_999 })).toThrow(RangeError);
  });

  it("bounds smaller ones", () => {
    expect(() => encodeSessionContext(full, { maxBytes: 10 })).toThrow(RangeError);
    expect(() => decodeSessionContext(encodeSessionContext(full), { maxBytes: 10 })).toThrow(RangeError);
  });

  it("is 8,192 by default", () => {
    const encoded = encodeSessionContext(large, { maxBytes: 12_000 });
    for (const options of [{}, { maxBytes: undefined }, undefined]) {
      expect(() => encodeSessionContext(large, options)).toThrow("may have 8192 characters");
      expect(() => decodeSessionContext(encoded, options)).toThrow("may have 8192 characters");
    }
  });

  it.each([0, -1, 1.5, Number.NaN, untyped('"8192"')])("is refused if it is %j", (maxBytes) => {
    for (const work of [
      () => encodeSessionContext(full, { maxBytes }),
      () => decodeSessionContext("CgNzLTE=", { maxBytes }),
    ]) {
      const refusal = refusalOf(work);
      expect(refusal.message).toMatch(/^maxBytes must be a whole number of bytes from 1 to 2147483647, got /);
      expect(refusal).toMatchObject({ code: "ERR_OPTION_INVALID", option: "maxBytes" });
    }
  });
});

describe("errors", () => {
  it.each([
    ["nothing set", {}, "at least one field"],
    ["too long", { sessionId: "secret".repeat(2_000) }, "8192 characters, but this one has 16004"],
    ["a number", { userId: untyped("4711") }, "userId must be text, got a number"],
    ["a signal that is no text", { signals: { pin: untyped("4711") } }, "signals must be text"],
    ["no object", untyped('"secret"'), "must be an object, got a string"],
  ])("of encoding name the field and never the value: %s", (_, context, message) => {
    expect(() => encodeSessionContext(context)).toThrow(message);
    expect(() => encodeSessionContext(context)).not.toThrow(/4711|secret/);
  });

  it.each([
    ["empty", "", "no base64"],
    ["another alphabet", "c2Vj_cmV0", "no base64"],
    ["spaces", "c2Vj cmV0", "no base64"],
    ["a joined duplicate", "CgNzLTE=, CgNzLTE=", "no base64"],
    ["too much padding", "CgNzLTE===", "no base64"],
    ["a character too few", "CgNzL", "no base64"],
    ["no message", Buffer.from("secret").toString("base64"), "no SessionContext message"],
    ["a message cut short", Buffer.from([0x0a, 0x20, 0x41]).toString("base64"), "no SessionContext message"],
    ["too long", "A".repeat(8_193), "8192 characters, but this one has 8193"],
    ["no string", untyped("4711"), "must be a string, got a number"],
  ])("of decoding say what is wrong and never the value: %s", (_, encoded, message) => {
    expect(() => decodeSessionContext(encoded)).toThrow(message);
    expect(() => decodeSessionContext(encoded)).not.toThrow(/4711|secret|c2Vj/);
  });

  it("are the only outcome of garbage", () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeSessionContext(Buffer.from(bytes).toString("base64"));
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
      }),
    );
  });
});
