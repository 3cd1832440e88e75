import { Agent } from "node:http";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";

/** Calls at a steady rate, whatever becomes of them: half of them are marked, and half, the control, are not. */
export interface Load {
  /** Begins a new phase, and answers with the figures of the last one. */
  phase(): LoadFigures;
  /** Makes no more calls, and resolves when all are answered. */
  stop(): Promise<LoadFigures>;
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
export function startLoad(port: number, callsPerSecond: number): Load {
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
  let made = 0;

  async function call(isTracked: boolean, tally: Tally): Promise<void> {
    const headers = isTracked ? { "x-session-track": "true", "x-session-context": "c".repeat(100) } : {};
    const start = performance.now();
    try {
      await client.changePassword({ oldPassword: "a", newPassword: "b" }, { headers, timeoutMs: 10_000 });
    } catch (error) {
      tally.errors.push(String(error));
    }
    tally.times.push(performance.now() - start);
  }

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - begun) / 1_000) * callsPerSecond);
    for (; made < due; made += 1) {
      const isTracked = made % 2 === 0;
      const one = call(isTracked, isTracked ? figures.tracked : figures.control);
      open.add(one);
      void one.then(() => open.delete(one));
    }
  }, 5);

  const phase = (): LoadFigures => {
    const last = figures;
    figures = { tracked: newTally(), control: newTally() };
    return { tracked: summed(last.tracked), control: summed(last.control) };
  };
  return {
    phase,
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
