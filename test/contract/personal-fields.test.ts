import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, it, test } from "vitest";
import { createMask, maskContext, viewEvent } from "../../src/contract/personal-fields.js";
import {
  encodeSessionContext,
  type SessionActivityEvent,
  SessionActivityEventSchema,
  SessionContextSchema,
} from "../../src/index.js";

const personal = {
  userId: "user-4711",
  actorId: "support-7",
  deviceId: "device-0815",
  clientIp: "203.0.113.7",
  userAgent: "Mozilla/5.0 (Macintosh)",
};
const impersonal = { sessionId: "session-1", organizationId: "acme", authMethod: "passkey", country: "DE" };

function eventWith(attributes: Record<string, string>): SessionActivityEvent {
  return create(SessionActivityEventSchema, {
    eventId: "event-1",
    service: "account-service",
    encodedSessionContext: encodeSessionContext({ ...personal, ...impersonal, signals: { risk: "low", phone: "1" } }),
    markSignature: "header.claims.signature",
    attributes,
  });
}

describe("a view with a mask", () => {
  it("shows nothing that tells of a person, and everything else", () => {
    const { event, context } = viewEvent(eventWith({ reason: "forgotten", email: "x" }), createMask());
    const shown = toJsonString(SessionActivityEventSchema, event) + toJsonString(SessionContextSchema, context!);
    for (const value of Object.values(personal)) expect(shown).not.toContain(value);
    expect(context).toMatchObject(impersonal);
    expect(context?.signals).toEqual({ risk: "low", phone: expect.stringMatching(/^masked-[\da-f]{8}$/) });
    expect(event).toMatchObject({ eventId: "event-1", service: "account-service" });
    expect(event.attributes).toEqual({ reason: "forgotten", email: expect.stringMatching(/^masked-/) });
    expect(event.encodedSessionContext).toMatch(/^masked-[\da-f]{8}$/);
    expect(event.markSignature).toMatch(/^masked-[\da-f]{8}$/);
  });

  it("keeps nothing that only a newer schema knows", () => {
    const event = eventWith({});
    event.$unknown = [{ no: 900, wireType: WireType.LengthDelimited, data: new TextEncoder().encode("\x09new-email") }];
    const masked = viewEvent(event, createMask()).event;
    expect(Buffer.from(toBinary(SessionActivityEventSchema, masked)).includes("new-email")).toBe(false);
  });

  it("leaves an event without a context as one", () => {
    const event = create(SessionActivityEventSchema, { eventId: "event-1" });
    const masked = viewEvent(event, createMask());
    expect(masked).toEqual({ event, context: undefined, isContextOpaque: false });
  });

  it("says of a context that it cannot decode only that there is one", () => {
    const event = create(SessionActivityEventSchema, { encodedSessionContext: "of somebody's own making" });
    const masked = viewEvent(event, createMask());
    expect(masked).toMatchObject({ context: undefined, isContextOpaque: true });
    expect(masked.event.encodedSessionContext).toMatch(/^masked-/);
  });
});

test("a view without a mask is the event as it came", () => {
  const event = eventWith({ email: "a@example.org" });
  const view = viewEvent(event, undefined);
  expect(view.event).toBe(event);
  expect(view.context).toMatchObject({ ...personal, ...impersonal });
});

test.each([
  ["note", "write to ann@example.org"],
  ["note", "from 203.0.113.7"],
  ["note", "from [2001:db8::7]"],
  ["note", "::1"],
  ["note", "+49 (30) 1234567"],
  ["note", "DE89 3704 0044 0532 0130 00"],
  ["user_id", "7"],
  ["userId", "7"],
  ["user.name", "ann"],
  ["X-Forwarded-IP", "1"],
  ["EMAIL", "1"],
  ["useragent", "1"],
  ["n".repeat(2_000), "1"],
  ["note", "word ".repeat(1_000)],
])("an attribute %.20j of %.30j is masked", (name, value) => {
  const [masked] = Object.values(viewEvent(eventWith({ [name]: value }), createMask()).event.attributes);
  expect(masked).toMatch(/^masked-[\da-f]{8}$/);
});

test("a name that is an address itself is masked", () => {
  const { attributes } = viewEvent(eventWith({ "ann@example.org": "yes" }), createMask()).event;
  expect(Object.entries(attributes)).toEqual([[expect.stringMatching(/^masked-/), "yes"]]);
});

test.each([
  ["reason", "forgotten"],
  ["version", "1.2.3"],
  ["amount", "1200.50 EUR"],
  ["at", "2026-11-27T10:00:00Z"],
  ["ship", "blue"],
  ["description", "a zipper"],
])("an attribute %j of %j is not masked", (name, value) => {
  expect(viewEvent(eventWith({ [name]: value }), createMask()).event.attributes).toEqual({ [name]: value });
});

test("a mask is the same for the same value, and another one with another key", () => {
  const mask = createMask();
  expect(mask("user-1")).toBe(mask("user-1"));
  expect(mask("user-1")).not.toBe(mask("user-2"));
  expect(mask("user-1")).not.toBe(createMask()("user-1"));
  expect(mask("")).toBe("");
  const context = create(SessionContextSchema, { userId: "user-1" });
  expect(maskContext(context, mask).userId).toBe(mask("user-1"));
});

test("what is made to take long does not", () => {
  const hostile = ["a.", "1.", "@", ":", "+1 ", "a:"].map((part) => part.repeat(500));
  const start = performance.now();
  for (const value of hostile) viewEvent(eventWith({ note: value }), createMask());
  expect(performance.now() - start).toBeLessThan(1_000);
});
