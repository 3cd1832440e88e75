import { Code, ConnectError, createContextValues, type Interceptor } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { createSessionActivityInterceptor, type Publisher, type SessionActivityEvent } from "../../src/index.js";
import type { RawHeader } from "./raw-http1.js";
import { defences, genuineMark, procedures, startTarget } from "./target.js";

const forgedCalls = 300;
const genuineCalls = 20;
const queueLength = 100;

/** A publisher whose broker is down: a queue with a bound, as that of Kafka's publisher. */
function createStalledPublisher() {
  const queue: SessionActivityEvent[] = [];
  let dropped = 0;
  const stats = () => ({
    offered: queue.length + dropped,
    delivered: 0,
    dropped: dropped > 0 ? { queue_full: dropped } : {},
    queued: queue.length,
  });
  const publisher: Publisher = {
    publish(record, settled) {
      if (queue.length < queueLength) queue.push(record.decode());
      else {
        dropped += 1;
        settled?.("queue_full", record);
      }
    },
    stats,
    close: () => Promise.resolve(stats()),
  };
  return { publisher, queue };
}

type Next = Parameters<Interceptor>[0];
type Call = Parameters<Next>[0];

const answer: Next = () => Promise.reject(new ConnectError("no", Code.PermissionDenied));

function callWith(header: Headers): Call {
  const call = {
    stream: false,
    service: AccountService,
    method: AccountService.method.changePassword,
    signal: new AbortController().signal,
    header: new Headers(header),
    contextValues: createContextValues(),
    message: {},
  };
  return call as unknown as Call;
}

/** A stranger's calls with contexts of 60 KB, and then the gateway's. */
async function flood(defence: "none" | "verify") {
  const { publisher, queue } = createStalledPublisher();
  const target = await startTarget(defences[defence](), {
    httpVersion: "2",
    publisher,
    more: { maxUnverifiedPerMinute: 50 },
  });
  const stranger = target.raw("2");
  const mark: RawHeader[] = [
    ["x-session-track", "true"],
    ["x-session-context", "f".repeat(60_000)],
    ["x-session-signature", "e30.e30.c2ln"],
  ];
  for (let i = 0; i < forgedCalls; i++) {
    expect(await stranger.call(procedures.changePassword, mark)).toMatchObject({ status: 200 });
  }
  const gateway = target.raw("2");
  for (let i = 0; i < genuineCalls; i++) {
    await gateway.call(procedures.changePassword, Object.entries(await genuineMark()));
  }
  await target.interceptor.drain(5_000);
  const genuine = queue.filter(({ encodedSessionContext }) => encodedSessionContext === "genuine");
  return { genuine, queue, target, publisher };
}

describe("a flood of forged marks with contexts of 60 KB, while Kafka is down", () => {
  it("pushes genuine events out of the queue where nothing is verified, and what is dropped is counted", async () => {
    const { genuine, publisher, queue } = await flood("none");
    expect(genuine).toHaveLength(0);
    expect(publisher.stats().dropped).toEqual({ queue_full: forgedCalls + genuineCalls - queueLength });
    // Even so, the contexts do not fill the memory.
    expect(queue.filter(({ encodedSessionContext }) => encodedSessionContext !== "")).toEqual([]);
    expect(new Set(queue.map(({ contextProblem }) => contextProblem))).toEqual(new Set(["too_large"]));
  });

  it("pushes none out where marks are verified: the quota holds it back, and counts", async () => {
    const { genuine, publisher, target } = await flood("verify");
    expect(genuine).toHaveLength(genuineCalls);
    expect(genuine.every(({ contextVerified }) => contextVerified)).toBe(true);
    expect(publisher.stats().dropped).toEqual({});
    const { unverified, skipped, verified, tracked } = target.interceptor.stats();
    expect(verified).toBe(genuineCalls);
    expect(unverified).toEqual({ signature_invalid: forgedCalls });
    expect(skipped.too_many_unverified).toBe(forgedCalls + genuineCalls - tracked);
    expect(skipped.too_many_unverified).toBeGreaterThan(forgedCalls - 100);
  });
});

describe("a flood of the largest forged marks that events hold, all through an outage of five minutes", () => {
  const queueBytes = 32 * 2 ** 20;
  const forged = new Headers({
    "x-session-track": "true",
    "x-session-context": "f".repeat(8_192),
    "x-session-signature": `${"a".repeat(512)}.${"b".repeat(2_048)}.${"c".repeat(512)}`,
  });

  /** The bytes of the events that wait for Kafka at the end. The interceptor is called as Connect calls it. */
  async function bytesWaiting(maxUnverifiedPerMinute: number | undefined): Promise<number> {
    let bytes = 0;
    const { publisher } = createStalledPublisher();
    const counting: Publisher = {
      ...publisher,
      publish(record) {
        bytes += record.bytes.length;
      },
    };
    const options = { ...defences.verify().options, maxUnverifiedPerMinute, log: false } as const;
    const tracking = createSessionActivityInterceptor({ service: "account-service", publisher: counting, ...options });
    const now = vi.spyOn(performance, "now");
    onTestFinished(() => {
      now.mockRestore();
    });
    for (let minute = 0; minute <= 5; minute++) {
      now.mockReturnValue(1_000 + minute * 60_000);
      await Promise.all(Array.from({ length: 600 }, () => tracking(answer)(callWith(forged)).catch(() => {})));
    }
    await tracking.drain(0);
    return bytes;
  }

  it("is more than the publisher holds, where there is no quota", async () => {
    expect(await bytesWaiting(1e9)).toBeGreaterThan(queueBytes);
  });

  it("leaves a third of the room to genuine events by default", async () => {
    expect(await bytesWaiting(undefined)).toBeLessThan((queueBytes * 2) / 3);
  });
});

describe("a context of 60 KB", () => {
  it.each([
    ["goes into the event where no bound is set", 100_000, "", 60_000],
    ["stays out of it otherwise", undefined, "too_large", 0],
  ])("%s", async (_, maxContextBytes, contextProblem, length) => {
    const target = await startTarget(defences.none(), { httpVersion: "2", more: { maxContextBytes } });
    const mark: RawHeader[] = [
      ["x-session-track", "true"],
      ["x-session-context", "f".repeat(60_000)],
    ];
    expect(await target.raw("2").call(procedures.changePassword, mark)).toMatchObject({ status: 200 });
    await target.interceptor.drain(5_000);
    expect(target.events).toMatchObject([{ contextProblem }]);
    expect(target.events[0]?.encodedSessionContext).toHaveLength(length);
  });
});
