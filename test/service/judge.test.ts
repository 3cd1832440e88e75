import { setTimeout as sleep } from "node:timers/promises";
import { createClient, createContextValues, type Interceptor } from "@connectrpc/connect";
import { afterEach, describe, expect, it, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createTroubleLog } from "../../src/base/log.js";
import type { GatewayMark } from "../../src/contract/mark.js";
import {
  createMemoryPublisher,
  createSessionActivityInterceptor,
  type SessionActivityInterceptorOptions,
  type SessionVerifier,
  type SignatureProblem,
  sessionContextKey,
} from "../../src/index.js";
import type { Call } from "../../src/outcome/caller.js";
import { createJudge, type JudgeOptions } from "../../src/service/judge.js";
import { createRequiredMethods } from "../../src/service/required-methods.js";
import type { ServiceTrouble } from "../../src/service/service-troubles.js";
import { createWaits } from "../../src/service/waits.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { refusalOf } from "../support/refusal.js";
import { transportTo } from "../support/transport.js";
import { until } from "../support/until.js";
import { shortenPatience } from "../support/wait-limits.js";
import { jws, procedure, signed, start, verifier } from "./verifying-service.js";

const { changePassword, watchSessions } = AccountService.method;

afterEach(() => {
  vi.restoreAllMocks();
});

describe("verify", () => {
  it("a signature that holds: the event says so, and keeps it", async () => {
    const verify = verifier(undefined);
    const { client, events, seen, interceptor } = await start({ verify });
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({
      contextVerified: true,
      contextProblem: "",
      markSignature: jws,
      encodedSessionContext: "c2Vzc2lvbg",
      action: "change_password",
      status: "OK",
      attributes: { seen: "yes" },
    });
    expect(verify.verify).toHaveBeenCalledWith({ context: "c2Vzc2lvbg", operation: "change_password", procedure }, jws);
    expect(seen).toEqual([["c2Vzc2lvbg", "c2Vzc2lvbg"]]);
    expect(interceptor.stats()).toMatchObject({ tracked: 1, verified: 1, unverified: {} });
  });

  const failures: [string, Record<string, string>, SignatureProblem | undefined, SignatureProblem, string][] = [
    ["none", marks("c2Vzc2lvbg", "change_password"), undefined, "signature_missing", ""],
    ["no JWS", { ...signed, "x-session-signature": "true" }, undefined, "signature_invalid", ""],
    ["a bad one", signed, "signature_invalid", "signature_invalid", jws],
    ["an expired one", signed, "signature_expired", "signature_expired", jws],
    ["one by an unknown key", signed, "key_unknown", "key_unknown", jws],
    ["one by a key that no longer holds", signed, "key_stale", "key_stale", jws],
  ];
  it.each(failures)(
    "%s: the call runs without the context, the event is evidence",
    async (_, headers, answer, problem, kept) => {
      const { client, events, seen, interceptor, warn } = await start({ verify: verifier(answer) });
      await client.changePassword({}, { headers });
      for await (const __ of client.watchSessions({}, { headers })) {
        // Read to the end.
      }
      await until(() => events.length === 2);
      expect(events[0]).toMatchObject({
        contextVerified: false,
        contextProblem: problem,
        markSignature: kept,
        encodedSessionContext: "c2Vzc2lvbg",
        action: "change_password",
        procedure,
        status: "OK",
        attributes: { seen: "yes" },
      });
      expect(seen).toEqual([
        [null, undefined],
        [null, undefined],
      ]);
      expect(interceptor.stats()).toMatchObject({ tracked: 2, verified: 0, unverified: { [problem]: 2 } });
      expect(warn).toHaveBeenCalledTimes(1);
      expect(JSON.stringify(warn.mock.calls)).not.toContain("c2Vzc2lvbg");
    },
  );

  it("a context that is too large is verified, too", async () => {
    const verify = verifier(undefined);
    const { client, events } = await start({ verify, maxContextBytes: 5 });
    await client.changePassword({}, { headers: signed });
    vi.mocked(verify.verify).mockResolvedValue("signature_invalid");
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 2);
    const common = { contextProblem: "too_large", encodedSessionContext: "" };
    expect(events).toMatchObject([
      { ...common, contextVerified: true },
      { ...common, contextVerified: false },
    ]);
  });

  it("a verifier that rejects or gives no answer, against its contract: not verified, no harm", async () => {
    const verify = verifier(undefined);
    vi.mocked(verify.verify)
      .mockRejectedValueOnce(new Error("c2Vzc2lvbg"))
      .mockImplementationOnce(() => {
        throw new Error("c2Vzc2lvbg");
      })
      .mockResolvedValueOnce(JSON.parse("true"))
      .mockResolvedValueOnce(JSON.parse("null"));
    const { client, events, warn } = await start({ verify });
    for (let i = 0; i < 4; i++) await client.changePassword({}, { headers: signed });
    await until(() => events.length === 4);
    expect(new Set(events.map(({ contextProblem }) => contextProblem))).toEqual(new Set(["signature_invalid"]));
    expect(JSON.stringify(warn.mock.calls)).not.toContain("c2Vzc2lvbg");
  });

  it("a verifier that hangs, against its contract: not verified, and the call goes on", async () => {
    shortenPatience();
    const verify: SessionVerifier = { unmarked: "keep", verify: () => new Promise(() => {}) };
    const { client, events, seen, warn, interceptor } = await start({ verify });
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ status: "OK", contextVerified: false, contextProblem: "signature_invalid" });
    expect(seen).toEqual([[null, undefined]]);
    const kinds = warn.mock.calls.map(([details]) => details);
    expect(kinds).toMatchObject([{ kind: "verifier_stalled", procedure }, { kind: "signature_invalid" }]);
    expect(interceptor.stats()).toMatchObject({ stalled: { verifier: 1 }, unverified: { signature_invalid: 1 } });
    expect(interceptor.problems()).toEqual(["verifier_stalled"]);
    verify.verify = () => Promise.resolve(undefined);
    await client.changePassword({}, { headers: signed });
    expect(interceptor.problems()).toEqual([]);
  });

  it("counts for how long the oldest call has been open, also while its signature is verified", async () => {
    const verify: SessionVerifier = { unmarked: "keep", verify: () => new Promise(() => {}) };
    const { client, interceptor } = await start({ verify });
    expect(interceptor.stats()).toMatchObject({ open: 0, oldestInHandMs: 0 });
    const leaving = new AbortController();
    const call = client.changePassword({}, { headers: signed, signal: leaving.signal });
    await until(() => interceptor.stats().oldestInHandMs > 20);
    expect(interceptor.stats().open).toBe(1);
    leaving.abort();
    await expect(call).rejects.toThrow();
    await interceptor.drain(0);
    expect(interceptor.stats().oldestInHandMs).toBe(0);
  });

  it("a shutdown while a signature is verified: the event does not look like one that is believed", async () => {
    const answers: ((problem: SignatureProblem | undefined) => void)[] = [];
    const verify: SessionVerifier = { unmarked: "keep", verify: () => new Promise((resolve) => answers.push(resolve)) };
    const { client, events, interceptor } = await start({ verify });
    const call = client.changePassword({}, { headers: signed });
    await until(() => interceptor.stats().open === 1);
    await interceptor.drain(0);
    const flagged = {
      status: "UNSETTLED",
      contextVerified: false,
      contextProblem: "signature_invalid",
      action: "change_password",
    };
    expect(events).toMatchObject([flagged]);
    answers[0]?.(undefined);
    await call;
    expect(events).toMatchObject([flagged]);
  });

  it.each([
    ["keep", "c2Vzc2lvbg", ["c2Vzc2lvbg", "c2Vzc2lvbg"]],
    ["drop", "c2Vzc2lvbg", [null, undefined]],
  ] as const)("a context without mark: %s", async (unmarked, context, expected) => {
    const { client, events, seen } = await start({ verify: verifier(undefined, unmarked) });
    await client.changePassword({}, { headers: { "x-session-context": context } });
    expect(seen).toEqual([expected]);
    expect(events).toEqual([]);
  });

  describe.each([
    ["1.1", true],
    ["1.1", false],
    ["2", true],
    ["2", false],
  ] as const)("while a signature is verified, over HTTP/%s, with contextValues: %s", (httpVersion, withValues) => {
    /** A service whose verification lasts until the test says so. */
    async function startSlow() {
      const verifying: (() => void)[] = [];
      const verify: SessionVerifier = {
        unmarked: "keep",
        verify: () => new Promise((resolve) => verifying.push(() => resolve(undefined))),
      };
      const publisher = createMemoryPublisher();
      const options = { service: "account-service", publisher, log: false, verify } as const;
      const interceptor = createSessionActivityInterceptor(options);
      const signals: AbortSignal[] = [];
      const note: Interceptor = (next) => (call) => {
        signals.push(call.signal);
        return next(call);
      };
      let handled = 0;
      const server = await startAccountServer(
        {
          changePassword() {
            handled += 1;
            return {};
          },
          async *watchSessions() {
            handled += 1;
            yield {};
          },
        },
        { interceptors: [note, interceptor], ...(withValues && { contextValues: interceptor.contextValues }) },
        httpVersion,
      );
      const client = accountClient(server, "connect", httpVersion);
      const left = (): boolean => signals.every(({ aborted }) => aborted);
      return { client, verifying, left, events: publisher.events, handled: () => handled };
    }

    it("a caller that leaves has CANCELLED, and the handler runs as it would have", async () => {
      const { client, events, verifying, left, handled } = await startSlow();
      const cancel = new AbortController();
      const given = { headers: signed, signal: cancel.signal };
      const unary = client.changePassword({}, given);
      const stream = client.watchSessions({}, given)[Symbol.asyncIterator]().next();
      await until(() => verifying.length === 2);
      cancel.abort();
      await expect(unary).rejects.toThrow();
      await expect(stream).rejects.toThrow();
      await until(left);
      for (const finish of verifying) finish();
      await until(() => events.length === 2);
      const cancelled = { status: "CANCELLED", contextVerified: true, contextProblem: "", action: "change_password" };
      expect(events).toMatchObject([cancelled, cancelled]);
      expect(handled()).toBeGreaterThan(0);
    });

    it("a deadline that passes is DEADLINE_EXCEEDED", async () => {
      const { client, events, verifying, left } = await startSlow();
      // A tenth of it is how long the call may take to the server without looking like a cancellation there.
      const call = client.changePassword({}, { headers: signed, timeoutMs: 1_000 });
      await until(() => verifying.length === 1);
      await expect(call).rejects.toThrow(/deadline/);
      await until(left);
      verifying[0]?.();
      await until(() => events.length === 1);
      expect(events[0]).toMatchObject({ status: "DEADLINE_EXCEEDED", contextVerified: true });
    });

    it("a caller that waits has what the handler gives", async () => {
      const { client, events, verifying } = await startSlow();
      const call = client.changePassword({}, { headers: signed });
      await until(() => verifying.length === 1);
      await sleep(20);
      verifying[0]?.();
      await call;
      await until(() => events.length === 1);
      expect(events[0]).toMatchObject({ status: "OK", handlerStatus: "" });
      const { seconds = 0n, nanos = 0 } = events[0]?.duration ?? {};
      expect(Number(seconds) * 1e9 + nanos).toBeGreaterThan(10e6);
    });
  });
});

describe("required", () => {
  it("a call without a mark has an event that says so", async () => {
    const { client, events, seen, interceptor, warn } = await start({ required: [changePassword, watchSessions] });
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await client.changePassword({}, { headers: { "x-session-context": "cmVsYXllZA", traceparent } });
    await client.changePassword({}, { headers: { "x-session-track": "true", "x-session-operation": "forged" } });
    for await (const _ of client.watchSessions({}, { headers: { "x-session-signature": jws } })) {
      // Read to the end.
    }
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 4);
    const missing = { contextProblem: "missing", contextVerified: false, encodedSessionContext: "", markSignature: "" };
    expect(events).toMatchObject([
      { ...missing, action: "change_password", status: "OK", traceparent },
      { ...missing, action: "change_password" },
      { ...missing, action: "watch_sessions" },
      { contextProblem: "", encodedSessionContext: "c2Vzc2lvbg", action: "change_password" },
    ]);
    expect(seen[0]).toEqual(["cmVsYXllZA", "cmVsYXllZA"]);
    expect(interceptor.stats()).toMatchObject({ tracked: 4, unverified: { missing: 3 }, skipped: {} });
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it("a mark whose context is too large, or empty, is one: the event says so", async () => {
    const { client, events, interceptor } = await start({ required: [changePassword], maxContextBytes: 5 });
    await client.changePassword({}, { headers: signed });
    await client.changePassword({}, { headers: { "x-session-track": "true", "x-session-context": "" } });
    await until(() => events.length === 2);
    expect(events).toMatchObject([
      { contextProblem: "too_large", action: "change_password", encodedSessionContext: "" },
      { contextProblem: "missing", action: "change_password", encodedSessionContext: "" },
    ]);
    expect(interceptor.stats()).toMatchObject({ unverified: { missing: 1 }, skipped: {} });
  });

  it("methods are told by their procedure, and others stay silent", async () => {
    const copy = { ...changePassword, parent: { ...AccountService } } as typeof changePassword;
    const { client, events } = await start({ required: [copy] });
    for await (const _ of client.watchSessions({})) {
      // Read to the end.
    }
    await client.changePassword({});
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ procedure, contextProblem: "missing" });
  });

  it("the interceptor twice in one chain: still one event", async () => {
    const publisher = createMemoryPublisher();
    const options = {
      service: "s",
      publisher,
      log: false,
      required: [changePassword],
      verify: verifier(undefined),
    } as const;
    const twice = createSessionActivityInterceptor(options);
    const server = await startAccountServer({ changePassword: () => ({}) }, { interceptors: [twice, twice] });
    await createClient(AccountService, transportTo(server.baseUrl)).changePassword({});
    await createClient(AccountService, transportTo(server.baseUrl)).changePassword({}, { headers: signed });
    await until(() => publisher.events.length === 2);
    expect(publisher.events.map(({ contextProblem }) => contextProblem)).toEqual(["missing", ""]);
  });
});

describe("the quota of events that are not verified", () => {
  it("holds back further ones, lets genuine ones through, and fills up again", async () => {
    const verify = verifier(undefined);
    const now = vi.spyOn(performance, "now");
    now.mockReturnValue(1_000);
    const { client, events, interceptor, seen } = await start({
      verify,
      required: [changePassword],
      maxUnverifiedPerMinute: 3,
    });
    for (let i = 0; i < 5; i++) await client.changePassword({}, { headers: marks("Zm9yZ2Vk") });
    // What forged marks have used up leaves these theirs.
    for (let i = 0; i < 4; i++) await client.changePassword({});
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 7);
    expect(events.map(({ contextProblem }) => contextProblem)).toEqual([
      ...Array.from({ length: 3 }, () => "signature_missing"),
      ...Array.from({ length: 3 }, () => "missing"),
      "",
    ]);
    expect(interceptor.stats()).toMatchObject({
      open: 0,
      tracked: 7,
      verified: 1,
      unverified: { signature_missing: 5, missing: 4 },
      skipped: { too_many_unverified: 3 },
    });
    // Nor does a call without an event keep a context that is not believed.
    expect(seen.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => [null, undefined]));
    now.mockReturnValue(21_000);
    for (let i = 0; i < 2; i++) await client.changePassword({}, { headers: marks("Zm9yZ2Vk") });
    await until(() => events.length === 8);
    expect(interceptor.stats().skipped).toEqual({ too_many_unverified: 4 });
  });
});

describe("options", () => {
  const methods =
    "methods, such as [AccountService.method.changePassword], or their names, such as /package.Service/Method";
  const wrong: [Record<string, unknown>, string, string][] = [
    [{ required: changePassword }, "required", `required must be ${methods}, got an object`],
    [{ required: ["ChangePassword"] }, "required", `required must be ${methods}, got ["ChangePassword"]`],
    [
      { verify: () => {} },
      "verify",
      "verify must be a SessionVerifier, which createSessionVerifier makes, got a function",
    ],
    [{ recordContext: "hash" }, "recordContext", "recordContext must be a function, got a text of 4 characters"],
    [
      { maxUnverifiedPerMinute: 0 },
      "maxUnverifiedPerMinute",
      "maxUnverifiedPerMinute must be a whole number of events a minute from 1 to 2147483647, got 0",
    ],
  ];
  it.each(wrong)("refuses %o", (options, option, message) => {
    const given = { service: "s", publisher: undefined, log: false, ...options } as SessionActivityInterceptorOptions;
    const refusal = refusalOf(() => createSessionActivityInterceptor(given));
    expect(refusal).toMatchObject({ message, option, code: "ERR_OPTION_INVALID" });
  });
});

describe("a judge", () => {
  const mark: GatewayMark = { kind: "marked", context: "abc", operation: "login", signature: jws, hasSignature: true };

  function judging(options: Partial<JudgeOptions>) {
    const settings = {
      required: createRequiredMethods(new Set<string>()),
      verify: undefined,
      maxUnverifiedPerMinute: 1,
      ...options,
    };
    const log = createTroubleLog<ServiceTrouble>(false);
    const judge = createJudge(settings, createWaits(log), log);
    const call = {
      method: changePassword,
      header: new Headers({ "x-session-context": "abc" }),
      contextValues: createContextValues(),
    } as Partial<Call> as Call;
    const seen = (): unknown[] => [call.header.get("x-session-context"), call.contextValues.get(sessionContextKey)];
    return { judge, call, seen };
  }

  /** A judge whose verifier answers when the test says so, and its pending judgement of one call. */
  function pendingJudgement(options: Partial<JudgeOptions> = {}) {
    let answer: (problem: SignatureProblem | undefined) => void = () => {};
    const verify: SessionVerifier = { unmarked: "keep", verify: () => new Promise((resolve) => (answer = resolve)) };
    const judged = judging({ verify, ...options });
    const judgement = judged.judge.judge(mark, judged.call);
    if (judgement.kind !== "pending") throw new Error(`it is ${judgement.kind}`);
    return { ...judged, judgement, answer: (problem?: SignatureProblem) => answer(problem) };
  }

  it("without a verifier believes, at once", () => {
    const { judge, call, seen } = judging({});
    expect(judge.judge(mark, call)).toEqual({ kind: "believed" });
    expect(seen()).toEqual(["abc", "abc"]);
  });

  it("tracks a call without a mark only if its method is required", () => {
    for (const kind of ["unmarked", "empty"] as const) {
      const free = judging({});
      expect(free.judge.judge({ kind }, free.call)).toEqual({ kind: "untracked" });
      expect(free.seen()).toEqual(["abc", "abc"]);
      const { judge, call } = judging({ required: createRequiredMethods(new Set([procedure])) });
      expect(judge.judge({ kind }, call)).toEqual({ kind: "doubted", reason: "missing", admitted: true });
      expect(judge.judge({ kind }, call)).toEqual({ kind: "doubted", reason: "missing", admitted: false });
    }
  });

  it.each([
    ["signature_missing", false],
    ["signature_invalid", true],
  ] as const)("needs no verifier to doubt without a signature: %s", (reason, hasSignature) => {
    const verify = verifier(undefined);
    const { judge, call, seen } = judging({ verify });
    expect(judge.judge({ ...mark, signature: "", hasSignature }, call)).toEqual({
      kind: "doubted",
      reason,
      admitted: true,
    });
    expect(verify.verify).not.toHaveBeenCalled();
    expect(seen()).toEqual([null, undefined]);
  });

  it("judges as the verifier answers", async () => {
    const held = pendingJudgement();
    held.answer();
    await expect(held.judgement.settled).resolves.toEqual({ kind: "verified" });
    expect(held.seen()).toEqual(["abc", "abc"]);
    expect(held.judge.stats()).toEqual({ verified: 1, unverified: {}, droppedContexts: 0 });
    const not = pendingJudgement();
    not.answer("key_unknown");
    await expect(not.judgement.settled).resolves.toEqual({ kind: "doubted", reason: "key_unknown", admitted: true });
    expect(not.seen()).toEqual([null, undefined]);
    expect(not.judge.stats()).toEqual({ verified: 0, unverified: { key_unknown: 1 }, droppedContexts: 0 });
  });

  it.each([
    ["holds", undefined, ["abc", "abc"]],
    ["does not", "key_unknown", [null, undefined]],
  ] as const)(
    "keeps to the judgement that was cut short, if the signature then %s",
    async (_, problem, handlerSees) => {
      const { judge, judgement, answer, seen } = pendingJudgement();
      const unproven = { kind: "doubted", reason: "signature_invalid", admitted: true };
      expect(judgement.cutShort()).toEqual(unproven);
      expect(judgement.cutShort()).toEqual(unproven);
      answer(problem);
      await expect(judgement.settled).resolves.toEqual(unproven);
      expect(seen()).toEqual(handlerSees);
      expect(judge.stats()).toEqual({ verified: 0, unverified: { signature_invalid: 1 }, droppedContexts: 0 });
    },
  );

  it("keeps to the judgement that the verifier gave, if it is cut short after that", async () => {
    const { judge, judgement, answer } = pendingJudgement();
    answer();
    await judgement.settled;
    expect(judgement.cutShort()).toEqual({ kind: "verified" });
    expect(judge.stats()).toEqual({ verified: 1, unverified: {}, droppedContexts: 0 });
  });
});
