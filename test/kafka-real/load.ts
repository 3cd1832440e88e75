import { Agent } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";

/** Calls at a steady rate, whatever becomes of them: some are marked, and some, the control, are not. */
export interface Load {
  /** Begins a new phase, and answers with the figures of the last one. */
  phase(): LoadFigures;
  /** Resolves when no more calls are open than come in a tenth of a second. */
  steady(): Promise<void>;
  /** Makes no more calls, and resolves when all are answered. */
  stop(): Promise<LoadFigures>;
}

/** How many calls are made in a second. */
export interface LoadRates {
  readonly tracked: number;
  readonly control: number;
}

/** What calls took, in ms. */
export interface LoadFigures {
  readonly tracked: CallFigures;
  readonly control: CallFigures;
}

export interface CallFigures {
  readonly calls: number;
  readonly failed: number;
  /** What the failed ones failed with. */
  readonly errors: readonly string[];
  readonly p99: number;
  readonly max: number;
}

/** Starts the load on a service. */
export function startLoad(port: number, rates: LoadRates): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const client = createClient(
    AccountService,
    createConnectTransport({
      baseUrl: `http://127.0.0.1:${port}`,
      httpVersion: "1.1",
      nodeOptions: { agent },
    }),
  );
  let figures = { tracked: newTally(), control: newTally() };
  const open = new Set<Promise<void>>();
  const begun = performance.now();
  const made = { tracked: 0, control: 0 };

  async function call(kind: keyof LoadRates, tally: Tally): Promise<void> {
    const headers = kind === "tracked" ? { "x-session-track": "true", "x-session-context": "c".repeat(100) } : {};
    const start = performance.now();
    try {
      await client.changePassword({ oldPassword: "a", newPassword: "b" }, { headers, timeoutMs: 30_000 });
    } catch (error) {
      tally.errors.push(String(error));
    }
    tally.times.push(performance.now() - start);
  }

  const timer = setInterval(() => {
    const seconds = (performance.now() - begun) / 1_000;
    // In turns, so that neither always stands behind the other.
    for (let isDone = false; !isDone; ) {
      isDone = true;
      for (const kind of ["tracked", "control"] as const) {
        if (made[kind] >= Math.floor(seconds * rates[kind])) continue;
        made[kind] += 1;
        isDone = false;
        const one = call(kind, figures[kind]);
        open.add(one);
        void one.then(() => open.delete(one));
      }
    }
  }, 5);

  const phase = (): LoadFigures => {
    const last = figures;
    figures = { tracked: newTally(), control: newTally() };
    return { tracked: summed(last.tracked), control: summed(last.control) };
  };
  return {
    phase,
    async steady() {
      while (open.size > (rates.tracked + rates.control) / 10) await delay(10);
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      agent.destroy();
      return phase();
    },
  };
}

interface Tally {
  readonly errors: string[];
  readonly times: number[];
}

function newTally(): Tally {
  return { errors: [], times: [] };
}

function summed({ errors, times }: Tally): CallFigures {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { calls: times.length, failed: errors.length, errors, p99: at(0.99), max: at(1) };
}
