import { describe, expect, it } from "vitest";
import type { Publisher, SessionActivityEvent } from "../../src/index.js";
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
    publish(event, settled) {
      if (queue.length < queueLength) queue.push(event);
      else {
        dropped += 1;
        settled?.("queue_full");
      }
    },
    stats,
    close: () => Promise.resolve(stats()),
  };
  return { publisher, queue };
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
