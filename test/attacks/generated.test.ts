import { expect, it } from "vitest";
import type { Publisher, SessionActivityEvent } from "../../src/index.js";
import { startAccountServer } from "../support/account-server.js";
import { createHeapGauge } from "../support/heap-gauge.js";
import { createGenerator } from "./generator.js";
import { openRawHttp1, type RawConnection } from "./raw-http1.js";
import { openRawHttp2 } from "./raw-http2.js";
import { defences, signer, startTarget } from "./target.js";

/** How many header sets: `npm run attacks` makes it a million, which takes half an hour. */
const sets = Number(process.env["ATTACK_SETS"] ?? 10_000);
const seed = Number(process.env["ATTACK_SEED"] ?? 1);
const connections = 16;

/** Marks are required of one method of the two. No quota holds events back here: each is to be seen. */
const more = { ...defences.required().options, maxUnverifiedPerMinute: 1e9 };

/** A publisher that checks each event and keeps none, so that memory tells about us. */
function createCheckingPublisher() {
  const expected = new Set<string>();
  const wrong: string[] = [];
  let offered = 0;
  let verified = 0;
  function check(event: SessionActivityEvent): void {
    offered += 1;
    if (!event.contextVerified) return;
    verified += 1;
    const { encodedSessionContext: context } = event;
    // A second event for a genuine context, or one for a stranger's.
    if (!expected.delete(context)) wrong.push(`${context}: ${event.markSignature}`);
    if (event.status !== "OK" || event.contextProblem !== "") wrong.push(`${context}: ${event.status}`);
  }
  const stats = () => ({ offered, delivered: offered, dropped: {}, queued: 0 });
  const publisher: Publisher = {
    publish: (record) => check(record.decode()),
    stats,
    close: () => Promise.resolve(stats()),
  };
  return { publisher, expected, wrong, verified: () => verified };
}

it.each(["1.1", "2"] as const)(
  "no generated header set harms a call, appears as genuine, or costs a genuine event, over HTTP/%s",
  { timeout: 60_000 + sets * 10 },
  async (httpVersion) => {
    const { publisher, expected, wrong, verified } = createCheckingPublisher();
    const target = await startTarget(defences.verify(), { httpVersion, publisher, more });
    const plain = await startAccountServer({ login: () => ({}), changePassword: () => ({}) }, {}, httpVersion);
    const open = httpVersion === "2" ? openRawHttp2 : openRawHttp1;
    const generator = createGenerator(seed, signer);
    const heapMb = createHeapGauge();
    const heaps: number[] = [];
    const differing: string[] = [];
    let genuine = 0;
    let refused = 0;
    let left = Math.ceil(sets / 2);
    const sampleEvery = Math.max(1, Math.floor(left / 10));

    async function attack(ours: RawConnection, others: RawConnection): Promise<void> {
      while (left-- > 0) {
        const call = await generator.next();
        if (call.genuine !== undefined) {
          genuine += 1;
          expected.add(call.genuine);
        }
        const [answer, reference] = await Promise.all([
          ours.call(call.procedure, call.headers),
          others.call(call.procedure, call.headers),
        ]);
        if (reference?.status !== 200) refused += 1;
        if (answer?.status !== reference?.status && (answer?.status === 200 || reference?.status === 200)) {
          differing.push(JSON.stringify({ ...call, answer, reference }));
        }
        // The contexts are not kept: the handler's notes are the test's, not ours.
        target.seen.length = 0;
        if (left % sampleEvery === 0) heaps.push(heapMb());
      }
      ours.close();
      others.close();
    }
    await Promise.all(Array.from({ length: connections }, () => attack(open(target.port), open(plain.port))));
    await target.interceptor.drain(10_000);

    expect(differing).toEqual([]);
    expect(wrong).toEqual([]);
    expect([...expected]).toEqual([]);
    expect(verified()).toBe(genuine);
    const stats = target.interceptor.stats();
    const doubtful = Object.values(stats.unverified).reduce((sum, count) => sum + count, 0);
    expect(stats).toMatchObject({ open: 0, verified: genuine, tracked: genuine + doubtful });
    expect(publisher.stats().offered).toBe(stats.tracked);
    // They did happen: forgeries of all kinds, and calls that no server takes.
    expect(genuine).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    for (const problem of ["missing", "signature_missing", "signature_invalid"] as const) {
      expect(stats.unverified[problem]).toBeGreaterThan(0);
    }
    // Flat: what grows by the call would show in a long run, and a short one has its warm-up.
    const [early = 0, late = 0] = [heaps[1], heaps.at(-1)];
    expect(late - early).toBeLessThan(20);
    if (process.env["ATTACK_SETS"] === undefined) return;
    const figures = {
      httpVersion,
      seed,
      sets: Math.ceil(sets / 2),
      genuine,
      refused,
      ...stats,
      heaps: heaps.map(Math.round),
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  },
);

it("a service without the defence is fooled by the same header sets", async () => {
  const target = await startTarget(defences.none());
  const generator = createGenerator(seed, signer);
  const connection = target.raw("1.1");
  for (let i = 0; i < 400; i++) {
    const { procedure, headers } = await generator.next();
    await connection.call(procedure, headers);
  }
  await target.interceptor.drain(10_000);
  const fooled = target.fooled().filter(({ encodedSessionContext }) => !encodedSessionContext.startsWith("genuine"));
  expect(fooled.length).toBeGreaterThan(50);
});
