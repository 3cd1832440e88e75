import { toBinary } from "@bufbuild/protobuf";
import { Code, type HandlerContext } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  annotateSessionActivity,
  createMemoryPublisher,
  createSessionActivityInterceptor,
  type Publisher,
  SessionActivityEventSchema,
  type SessionActivityInterceptorOptions,
  type SessionVerifier,
  type SignatureProblem,
  sessionContextKey,
  sessionHeaders,
} from "../../src/index.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { until } from "../support/until.js";

const { changePassword } = AccountService.method;
const signed = { ...marks("c2Vzc2lvbg", "change_password"), "x-session-signature": "e30.e30.c2ln" };

/** Answers that come when the test says so. */
function pending<T>() {
  const open: { resolve: (value: T) => void; reject: (error: Error) => void }[] = [];
  const next = (): Promise<T> => new Promise((resolve, reject) => open.push({ resolve, reject }));
  return { open, next };
}

/** A service whose handler annotates its calls and notes what it sees of the session, and a publisher that notes its calls. */
async function start(
  options: Partial<SessionActivityInterceptorOptions>,
  begin: Publisher["begin"] = () => {},
  times: 1 | 2 = 1,
) {
  const memory = createMemoryPublisher();
  const begun: string[] = [];
  const publisher: Publisher = {
    ...memory,
    begin(event) {
      begun.push(event.eventId);
      return begin(event);
    },
  };
  const interceptor = createSessionActivityInterceptor({ service: "s", publisher, log: false, ...options });
  const seen: unknown[] = [];
  const note = (_: object, { requestHeader, values }: HandlerContext): object => {
    annotateSessionActivity(values, { seen: "yes" });
    seen.push([requestHeader.get(sessionHeaders.context), values.get(sessionContextKey)]);
    return {};
  };
  const interceptors = Array.from({ length: times }, () => interceptor);
  const server = await startAccountServer({ changePassword: note }, { interceptors });
  const bytes = (): string[] =>
    memory.events.map((event) => Buffer.from(toBinary(SessionActivityEventSchema, event)).toString("hex"));
  return { client: accountClient(server), interceptor, events: memory.events, begun, seen, bytes };
}

/** A service with a call whose signature is being verified, and that call. */
async function startVerifying(options: Partial<SessionActivityInterceptorOptions> = {}, times: 1 | 2 = 1) {
  const answers = pending<SignatureProblem | undefined>();
  const verify: SessionVerifier = { unmarked: "keep", verify: answers.next };
  const service = await start({ verify, ...options }, undefined, times);
  const call = service.client.changePassword({}, { headers: signed });
  await until(() => answers.open.length === 1);
  return { ...service, call, answer: (problem?: SignatureProblem) => answers.open[0]?.resolve(problem) };
}

/** A service with a call whose start is being noted by the publisher, and that call. */
async function startBeginning() {
  const answers = pending<undefined | "refuse">();
  const service = await start({}, answers.next);
  const call = service.client.changePassword({}, { headers: signed });
  await until(() => answers.open.length === 1);
  return { ...service, call, verdict: answers.open[0]! };
}

describe("a drain while a signature is verified", () => {
  const inherited = ["c2Vzc2lvbg", "c2Vzc2lvbg"];
  it.each([
    ["holds", undefined, inherited],
    ["does not hold", "signature_invalid", [null, undefined]],
    ["is by an unknown key", "key_unknown", [null, undefined]],
  ] as const)("publishes once, whatever comes of it later: it %s", async (_, problem, seenByHandler) => {
    const { call, answer, events, begun, seen, bytes, interceptor } = await startVerifying();
    await interceptor.drain(0);
    expect(events).toMatchObject([
      {
        sequence: 1n,
        status: "UNSETTLED",
        action: "change_password",
        contextVerified: false,
        contextProblem: "signature_invalid",
        encodedSessionContext: "c2Vzc2lvbg",
      },
    ]);
    const published = bytes();
    const counts = interceptor.stats();
    expect(counts).toMatchObject({ open: 0, tracked: 1, verified: 0, unverified: { signature_invalid: 1 } });

    answer(problem);
    await call;
    expect(bytes()).toEqual(published);
    expect(begun).toEqual([]);
    expect(seen).toEqual([seenByHandler]);
    expect(interceptor.stats()).toEqual(counts);
  });

  it("is not held back by the quota, and takes nothing from it", async () => {
    const { call, answer, events, client, interceptor } = await startVerifying({ maxUnverifiedPerMinute: 1 });
    await interceptor.drain(0);
    answer("signature_invalid");
    await call;
    await client.changePassword({}, { headers: marks("Zm9yZ2Vk") });
    await until(() => events.length === 2);
    expect(events.map(({ contextProblem }) => contextProblem)).toEqual(["signature_invalid", "signature_missing"]);
    expect(interceptor.stats().skipped).toEqual({});
  });

  it("twice: one event", async () => {
    const { call, answer, events, begun, interceptor } = await startVerifying();
    await Promise.all([interceptor.drain(0), interceptor.drain(0), interceptor.drain(5)]);
    await interceptor.drain(0);
    answer();
    await call;
    await interceptor.drain(0);
    expect(events).toHaveLength(1);
    expect(begun).toEqual([]);
    expect(interceptor.stats()).toMatchObject({ open: 0, tracked: 1 });
    expect(interceptor.stats().skipped).toEqual({});
  });

  it("with the interceptor twice in the chain: one event", async () => {
    const { call, answer, events, interceptor } = await startVerifying({ required: [changePassword] }, 2);
    await interceptor.drain(0);
    answer();
    await call;
    expect(events).toHaveLength(1);
    expect(interceptor.stats().unverified).toEqual({ signature_invalid: 1 });
  });
});

describe("a drain while the publisher notes the start", () => {
  it("publishes once, and what the handler adds later changes nothing", async () => {
    const { call, verdict, events, seen, bytes, interceptor } = await startBeginning();
    await interceptor.drain(0);
    expect(events).toMatchObject([{ sequence: 1n, status: "UNSETTLED", action: "change_password", attributes: {} }]);
    const published = bytes();
    verdict.resolve(undefined);
    await call;
    expect(seen).toHaveLength(1);
    expect(bytes()).toEqual(published);
    expect(interceptor.stats()).toMatchObject({ open: 0, tracked: 1 });
    expect(interceptor.stats().skipped).toEqual({});
  });

  it("and then refuses the call: the caller is told, and the call, which has its event, is not counted as skipped", async () => {
    const { call, verdict, events, seen, bytes, interceptor } = await startBeginning();
    await Promise.all([interceptor.drain(0), interceptor.drain(0)]);
    const published = bytes();
    verdict.resolve("refuse");
    await expect(call).rejects.toMatchObject({ code: Code.ResourceExhausted });
    expect(seen).toEqual([]);
    expect(events).toHaveLength(1);
    expect(bytes()).toEqual(published);
    expect(interceptor.stats()).toMatchObject({ open: 0, tracked: 1 });
    expect(interceptor.stats().skipped).toEqual({});
  });

  it("and then throws: the call runs, counted as a fault of the publisher's", async () => {
    const { call, verdict, events, seen, interceptor } = await startBeginning();
    await interceptor.drain(0);
    verdict.reject(new Error("broken disk"));
    await call;
    expect(seen).toHaveLength(1);
    expect(events).toHaveLength(1);
    expect(interceptor.stats()).toMatchObject({ open: 0, tracked: 1, skipped: { publisher_error: 1 } });
  });
});

describe("a call that is held back by the quota", () => {
  it("has no event from a second interceptor in the chain either", async () => {
    const { client, events, interceptor } = await start(
      { required: [changePassword], maxUnverifiedPerMinute: 1 },
      undefined,
      2,
    );
    for (let i = 0; i < 3; i++) await client.changePassword({});
    await until(() => events.length === 1);
    expect(interceptor.stats()).toMatchObject({
      open: 0,
      tracked: 1,
      skipped: { too_many_unverified: 2 },
      unverified: { missing: 3 },
    });
  });

  it("is not told to a publisher, and cannot be annotated", async () => {
    const { client, events, begun, seen, interceptor } = await start({
      required: [changePassword],
      maxUnverifiedPerMinute: 1,
    });
    for (let i = 0; i < 2; i++) await client.changePassword({});
    await until(() => events.length === 1);
    expect(begun).toHaveLength(1);
    expect(seen).toHaveLength(2);
    await interceptor.drain(0);
    expect(events).toHaveLength(1);
  });
});
