import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { type Case, handlerHeader, type Outcome, paths } from "../case.js";

/** Makes one call. Gives gRPC's code, and what the client says of it. */
export type CaseRunner = (one: Case) => Promise<{ readonly code: number; readonly message?: string }>;

/**
 * Makes the calls that standard input asks for, each at its time, and prints what their callers saw.
 *
 * An empty line ends the cases. Then it warms up each connection that several calls share, prints `ready`, and begins when
 * standard input ends.
 */
export async function runCases(run: CaseRunner): Promise<void> {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const cases: Case[] = [];
  for (;;) {
    const { value = "" } = await lines.next();
    if (value === "") break;
    cases.push(JSON.parse(value));
  }
  await warmUp(cases, run);
  process.stdout.write("ready\n");
  await lines.next();
  const begin = performance.now();
  await Promise.all(
    cases.map(async (one) => {
      await sleep(one.startMs - (performance.now() - begin));
      const start = performance.now();
      const seen = await run(one);
      const outcome: Outcome = {
        id: one.id,
        ...seen,
        ms: performance.now() - start,
        lateMs: start - begin - one.startMs,
      };
      process.stdout.write(`${JSON.stringify(outcome)}\n`);
    }),
  );
}

async function warmUp(cases: readonly Case[], run: CaseRunner): Promise<void> {
  const warm = new Map<string, Case>();
  for (const one of cases) if (!one.cold) warm.set(JSON.stringify([one.target, one.http, one.protocol]), one);
  for (const { cancelAfterMs: _, ...one } of warm.values()) {
    const { code, message } = await run({
      ...one,
      how: "warm-up",
      kind: "unary",
      path: paths.unary,
      deadlineMs: 10_000,
      headers: { [handlerHeader]: "answer" },
    });
    if (code !== 0) process.stderr.write(`warm-up: ${one.target} ${one.protocol}: ${code} ${message}\n`);
  }
}
