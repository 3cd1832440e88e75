import { create, toBinary } from "@bufbuild/protobuf";
import { array, assert, boolean, constantFrom, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { normalizeSignal, sessionContextSignals } from "../../src/history/index.js";
import { encodeSessionContext, SessionContextSchema } from "../../src/index.js";
import { eventOf } from "./history-fixtures.js";

describe("normalizeSignal", () => {
  it.each([
    ["country", " de ", "DE"],
    ["device_id", " aB ", "aB"],
    ["client_ip", "203.0.113.77", "203.0.113.0/24"],
    ["client_ip", "::ffff:203.0.113.77", "203.0.113.0/24"],
    ["client_ip", "2001:db8:0:0042:1:2:3:4", "2001:db8:0:42::/64"],
    ["client_ip", "2001:DB8::1", "2001:db8:0:0::/64"],
    ["client_ip", "::1", "0:0:0:0::/64"],
    ["client_ip", "fe80::1%eth0", "fe80:0:0:0::/64"],
    ["client_ip", "64:ff9b::192.0.2.33", "64:ff9b:0:0::/64"],
    ["client_ip", "1:2:3:4:5:6:192.0.2.33", "1:2:3:4::/64"],
    // With a port, which differs each time.
    ["client_ip", "203.0.113.7:51234", "203.0.113.0/24"],
    ["client_ip", "[2001:db8:0:42::1]:51234", "2001:db8:0:42::/64"],
    ["client_ip", "[2001:db8:0:42::1]", "2001:db8:0:42::/64"],
    ["client_ip", "[fe80::1%25eth0]:443", "fe80:0:0:0::/64"],
    ["client_ip", "[::ffff:203.0.113.7]:51234", "203.0.113.0/24"],
    // IPv4 in IPv6, however it is written.
    ["client_ip", "::ffff:cb00:7107", "203.0.113.0/24"],
    ["client_ip", "::FFFF:CB00:7107", "203.0.113.0/24"],
    ["client_ip", "0:0:0:0:0:ffff:203.0.113.7", "203.0.113.0/24"],
    ["client_ip", "0000:0000:0000:0000:0000:ffff:cb00:7107", "203.0.113.0/24"],
    ["client_ip", "::0:ffff:203.0.113.7", "203.0.113.0/24"],
    ["client_ip", "::ffff:203.0.113.7%eth0", "203.0.113.0/24"],
    // These are other addresses.
    ["client_ip", "::203.0.113.7", "0:0:0:0::/64"],
    ["client_ip", "::ffff:0:203.0.113.7", "0:0:0:0::/64"],
    ["client_ip", "1::ffff:203.0.113.7", "1:0:0:0::/64"],
    // IPv4 as inet_aton and browsers read it.
    ["client_ip", "0xcb.0.0x71.7", "203.0.113.0/24"],
    ["client_ip", "0313.0.0161.07", "203.0.113.0/24"],
    ["client_ip", "203.0.28935", "203.0.113.0/24"],
    // Lists: the client, as the proxies say.
    ["client_ip", "203.0.113.7, 10.0.0.1, 10.0.0.2", "203.0.113.0/24"],
    ["client_ip", " 203.0.113.7:51234,10.0.0.1", "203.0.113.0/24"],
    ["client_ip", "unknown, 203.0.113.7", "203.0.113.0/24"],
    ["client_ip", "[2001:db8:0:42::1]:1, 10.0.0.1", "2001:db8:0:42::/64"],
    // What is a network already, and what is none.
    ["client_ip", "203.0.113.0/24", "203.0.113.0/24"],
    ["client_ip", "2001:db8:0:42::/64", "2001:db8:0:42::/64"],
    ["client_ip", "not an address", "not an address"],
    ["client_ip", "unknown, _hidden", "unknown, _hidden"],
    ["client_ip", "203.0.113.256", "203.0.113.256"],
    ["client_ip", "203.0.113.7.9", "203.0.113.7.9"],
    ["client_ip", "2001:db8::1::2", "2001:db8::1::2"],
    ["client_ip", "[203.0.113.7", "[203.0.113.7"],
    ["client_ip", "host.example:443", "host.example:443"],
    // A pseudonym of an address, perhaps.
    ["client_ip", "3405803783", "3405803783"],
    ["client_ip", "%", "%"],
    ["client_ip", ":", ":"],
    ["client_ip", ",", ","],
    ["client_ip", "[]:1", "[]:1"],
  ])("%s %j: %j", (signal, value, normal) => {
    expect(normalizeSignal(signal, value)).toBe(normal);
  });

  it("gives all spellings of a network the same name", () => {
    const spellings = [
      "2001:db8::7:0:0:0:1",
      "2001:db8:0:7::1",
      "2001:0db8:0000:0007:ffff::",
      "2001:DB8:0:7:0:0:1.2.3.4",
    ];
    expect(new Set(spellings.map((address) => normalizeSignal("client_ip", address)))).toEqual(
      new Set(["2001:db8:0:7::/64"]),
    );
  });

  it("goes by the value of any address, in any spelling", () => {
    const group = integer({ min: 0, max: 0xffff });
    const hex = (value: number, pad: boolean): string => value.toString(16).padStart(pad ? 4 : 1, "0");
    const around = constantFrom(
      (one: string) => one,
      (one: string) => one.toUpperCase(),
      (one: string) => `[${one}]`,
      (one: string) => `[${one}]:65535`,
      (one: string) => `${one}%eth0`,
      (one: string) => ` ${one} , 10.0.0.1`,
    );
    assert(
      property(
        array(group, { minLength: 8, maxLength: 8 }),
        boolean(),
        boolean(),
        around,
        (groups, pad, isMapped, wrap) => {
          const all = isMapped ? [0, 0, 0, 0, 0, 0xffff, ...groups.slice(6)] : groups;
          const [high, low] = all.slice(6) as [number, number];
          const expected = isMapped
            ? `${high >> 8}.${high & 255}.${low >> 8}.0/24`
            : `${all
                .slice(0, 4)
                .map((one) => hex(one, false))
                .join(":")}::/64`;
          const spelled = all.map((one) => hex(one, pad)).join(":");
          const dotted = `${all
            .slice(0, 6)
            .map((one) => hex(one, pad))
            .join(":")}:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
          for (const spelling of [spelled, dotted]) {
            expect(normalizeSignal("client_ip", wrap(spelling))).toBe(expected);
            expect(normalizeSignal("client_ip", expected)).toBe(expected);
          }
        },
      ),
    );
  });

  it("never fails, whatever the text is", () => {
    const part = constantFrom(
      "[",
      "]",
      ":",
      "::",
      ".",
      "%",
      ",",
      "/",
      "@",
      "#",
      "?",
      "0x",
      "ffff",
      "255",
      "1",
      "é",
      "\0",
    );
    assert(
      property(array(part, { maxLength: 12 }), (parts) => {
        expect(normalizeSignal("client_ip", parts.join(""))).toBeTypeOf("string");
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("sessionContextSignals", () => {
  it("reads what encodeSessionContext wrote", () => {
    const event = eventOf({ id: "a", at: 0 });
    event.encodedSessionContext = encodeSessionContext({
      sessionId: "s",
      userId: "u",
      actorId: "support",
      organizationId: "o",
      authMethod: "passkey",
      deviceId: "d",
      country: "DE",
      clientIp: "203.0.113.7",
      userAgent: "browser",
      signals: { risk: "low", country: "DE" },
    });
    expect(sessionContextSignals(event)).toEqual({
      sessionId: "s",
      userId: "u",
      ambiguous: [],
      signals: {
        user_id: "u",
        actor_id: "support",
        organization_id: "o",
        auth_method: "passkey",
        device_id: "d",
        country: "DE",
        client_ip: "203.0.113.7",
        user_agent: "browser",
        risk: "low",
      },
    });
  });

  it("takes a signal with the name of a field, unless the field says something", () => {
    const event = eventOf({ id: "a", at: 0 });
    event.encodedSessionContext = encodeSessionContext({ sessionId: "s", signals: { device_id: "d1", country: "DE" } });
    expect(sessionContextSignals(event)).toMatchObject({ signals: { device_id: "d1", country: "DE" }, ambiguous: [] });
    // As another gateway may write it.
    const context = create(SessionContextSchema, { sessionId: "s", country: "DE", signals: { country: "XX" } });
    event.encodedSessionContext = Buffer.from(toBinary(SessionContextSchema, context)).toString("base64");
    expect(sessionContextSignals(event)).toMatchObject({ signals: { country: "DE" }, ambiguous: ["country"] });
  });

  it("takes the signal if the field is blank, and fields before signals", () => {
    const event = eventOf({ id: "a", at: 0 });
    event.encodedSessionContext = encodeSessionContext({
      sessionId: "s",
      userId: " \t",
      country: "DE",
      signals: { a: "1" },
    });
    expect(Object.keys(sessionContextSignals(event)?.signals ?? {})).toEqual(["country", "a"]);
    const context = create(SessionContextSchema, { sessionId: "s", userId: " \t", signals: { user_id: "d1" } });
    event.encodedSessionContext = Buffer.from(toBinary(SessionContextSchema, context)).toString("base64");
    expect(sessionContextSignals(event)?.signals).toEqual({ user_id: "d1" });
  });

  it("is undefined without a context, and without a session in it", () => {
    const event = eventOf({ id: "a", at: 0 });
    event.encodedSessionContext = "";
    expect(sessionContextSignals(event)).toBeUndefined();
    event.encodedSessionContext = encodeSessionContext({ userId: "u" });
    expect(sessionContextSignals(event)).toBeUndefined();
  });
});
