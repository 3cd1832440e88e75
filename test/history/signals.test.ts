import { describe, expect, it } from "vitest";
import { normalizeSignal, sessionContextSignals } from "../../src/history/index.js";
import { encodeSessionContext } from "../../src/index.js";
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
    ["client_ip", "not an address", "not an address"],
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
});

describe("sessionContextSignals", () => {
  it("reads what encodeSessionContext wrote; a context's own signals do not replace its fields", () => {
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
      signals: { risk: "low", country: "XX" },
    });
    expect(sessionContextSignals(event)).toEqual({
      sessionId: "s",
      userId: "u",
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

  it("is undefined without a context, and without a session in it", () => {
    const event = eventOf({ id: "a", at: 0 });
    event.encodedSessionContext = "";
    expect(sessionContextSignals(event)).toBeUndefined();
    event.encodedSessionContext = encodeSessionContext({ userId: "u" });
    expect(sessionContextSignals(event)).toBeUndefined();
  });
});
