import fc from "fast-check";
import { expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import type { GatewayMark } from "../../src/contract/mark.js";
import { completeEvent, startEvent } from "../../src/service/event.js";
import { encodeEvent } from "../../src/service/event-encoder.js";
import type { Judgement } from "../../src/service/judge.js";

const source = { service: "account-service", instanceId: "instance", maxContextBytes: 100, recorder: undefined };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const call = { method: AccountService.method.changePassword, header: new Headers({ traceparent }) };
const procedure = "/example.account.v1.AccountService/ChangePassword";
const mark: GatewayMark = {
  kind: "marked",
  context: "abc",
  operation: undefined,
  signature: "",
  hasSignature: false,
};
const begin = (changes: Partial<GatewayMark> = {}, judgement: Judgement = { kind: "believed" }, at = Date.now()) =>
  startEvent(source, call.method, call.header, { ...mark, ...changes }, judgement, at);
const undeclared = { ...call, method: AccountService.method.importDevices };
const importDevices = "/example.account.v1.AccountService/ImportDevices";
const nanosOf = (time: { seconds: bigint; nanos: number }): bigint =>
  time.seconds * 1_000_000_000n + BigInt(time.nanos);

it("keeps started_at plus duration equal to completed_at, in values that protobuf allows", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (durationMs) => {
      const event = begin();
      completeEvent(event, { status: "OK", handlerStatus: "", inferred: false, at: 0 }, durationMs);
      const { startedAt, duration, completedAt } = encodeEvent(event, 1n).decode();
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

it("takes the label as the action, else the schema's operation, else the procedure", () => {
  const believed: Judgement = { kind: "believed" };
  expect(begin({ operation: "login" }).action).toBe("login");
  expect(begin().action).toBe("change_password");
  expect(
    startEvent(source, undeclared.method, undeclared.header, { ...mark, operation: "login" }, believed, 0).action,
  ).toBe("login");
  expect(startEvent(source, undeclared.method, undeclared.header, mark, believed, 0).action).toBe(importDevices);
});

it("leaves out a context over the bound", () => {
  const large = begin({ context: "x".repeat(101) });
  expect(large).toMatchObject({ encodedSessionContext: "", contextProblem: "too_large" });
  // In UTF-8, a context that is not ASCII has twice as many bytes.
  expect(begin({ context: "é".repeat(51) }).contextProblem).toBe("too_large");
  expect(large.startedAtMs).toBeLessThanOrEqual(Date.now());
});

it("holds what is known at the start, and the time at which the call came", () => {
  const at = 1_700_000_000_123;
  const event = begin({ signature: "a.b.c" }, { kind: "believed" }, at);
  expect(event).toMatchObject({
    service: "account-service",
    instanceId: "instance",
    procedure,
    traceparent,
    encodedSessionContext: "abc",
    markSignature: "a.b.c",
    startedAtMs: at,
    attributes: undefined,
  });
  expect(Number.parseInt(event.eventId.slice(0, 8) + event.eventId.slice(9, 13), 16)).toBe(at);
});

it("has nothing of a session without a mark", () => {
  const missing = { kind: "doubted", reason: "missing", admitted: true } as const;
  const nothing = { contextProblem: "missing", encodedSessionContext: "", markSignature: "" };
  for (const kind of ["empty", "unmarked"] as const) {
    expect(startEvent(source, call.method, call.header, { kind }, missing, 0)).toMatchObject({
      ...nothing,
      action: "change_password",
    });
    expect(startEvent(source, undeclared.method, undeclared.header, { kind }, missing, 0)).toMatchObject({
      ...nothing,
      action: importDevices,
    });
  }
});

it.each([
  [{ kind: "believed" }, "login", false, ""],
  [{ kind: "verified" }, "login", true, ""],
  [{ kind: "doubted", reason: "signature_expired", admitted: true }, "change_password", false, "signature_expired"],
] as [Judgement, string, boolean, string][])(
  "says what the judgement is: %j",
  (judgement, action, contextVerified, problem) => {
    const said = { action, contextVerified };
    expect(begin({ operation: "login" }, judgement)).toMatchObject({ ...said, contextProblem: problem });
    // An event without its context says so first.
    const large = begin({ operation: "login", context: "x".repeat(101) }, judgement);
    expect(large).toMatchObject({ ...said, contextProblem: "too_large" });
  },
);

it("records what the recorder gives, and does not ask it about a context that is too large", () => {
  const asked: string[] = [];
  const recorder = {
    failures: 0,
    record(context: string, of: string) {
      asked.push(`${context} of ${of}`);
      return "pseudonym";
    },
  };
  const believed = { kind: "believed" } as const;
  const event = startEvent({ ...source, recorder }, call.method, call.header, mark, believed, 0);
  expect(event.encodedSessionContext).toBe("pseudonym");
  startEvent({ ...source, recorder }, call.method, call.header, { ...mark, context: "x".repeat(101) }, believed, 0);
  expect(asked).toEqual([`abc of ${procedure}`]);
});
