// Throughput of a Connect server with the interceptor against the same server without: `npm run bench:calls`.
//
// Empty gRPC calls over HTTP/2, 16 at a time, from a client that does nothing but HTTP/2, so that the server is the bottleneck.
// The servers run at the same time and take turns, call batch by call batch; the ratio is taken within each round.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import * as http2 from "node:http2";
import { fileURLToPath } from "node:url";
import { spread } from "./measure.js";

const callsPerRound = 8_000;
const rounds = 15;
const concurrency = 16;
const emptyMessage = Buffer.alloc(5);
const request = {
  ":method": "POST",
  ":path": "/example.account.v1.AccountService/ChangePassword",
  "content-type": "application/grpc+proto",
  te: "trailers",
};
const marks = {
  "x-session-track": "true",
  "x-session-context": "c2Vzc2lvbi".repeat(60),
  "x-session-operation": "change_password",
};

interface Server {
  readonly process: ChildProcess;
  readonly session: http2.ClientHttp2Session;
}

const started: ChildProcess[] = [];

async function start(script: string, ...args: string[]): Promise<[child: ChildProcess, message: string]> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), args);
  started.push(child);
  const [message] = (await once(child, "message")) as [string];
  return [child, message];
}

async function startServer(...args: string[]): Promise<Server> {
  const [child, port] = await start("./bench-server.js", ...args);
  return { process: child, session: http2.connect(`http://127.0.0.1:${port}`) };
}

function call({ session }: Server, headers: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ...request, ...headers });
    stream.on("trailers", ({ "grpc-status": status }) => {
      if (status !== "0") reject(new Error(`grpc-status ${String(status)}`));
    });
    stream.on("error", reject);
    stream.on("close", resolve);
    stream.resume();
    stream.end(emptyMessage);
  });
}

/** Calls per second, and the server's main-thread CPU per call in microseconds. */
async function run(
  server: Server,
  headers: Record<string, string>,
  count: number,
): Promise<{ rate: number; cpu: number }> {
  const cpuBefore = await cpuOf(server);
  const startedAt = performance.now();
  let left = count;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) await call(server, headers);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  return { rate: count / seconds, cpu: ((await cpuOf(server)) - cpuBefore) / count };
}

async function cpuOf(server: Server): Promise<number> {
  server.process.send("cpu");
  const [cpu] = (await once(server.process, "message")) as [number];
  return cpu;
}

const [, brokers] = await start("./broker.js");
const plain = await startServer();
const tracked = await startServer(brokers);
const variants = { unmarked: {}, marked: marks };
const results = {
  unmarked: { ratio: [] as number[], cpu: [] as number[] },
  marked: { ratio: [] as number[], cpu: [] as number[] },
};

for (let round = -2; round < rounds; round++) {
  for (const [name, headers] of Object.entries(variants) as ["unmarked" | "marked", Record<string, string>][]) {
    // Who goes first alternates, so that a drifting machine favours nobody.
    const order = round % 2 === 0 ? [plain, tracked] : [tracked, plain];
    const measured = new Map<Server, { rate: number; cpu: number }>();
    for (const server of order) measured.set(server, await run(server, headers, callsPerRound));
    const [without, withIt] = [measured.get(plain), measured.get(tracked)];
    if (round < 0 || without === undefined || withIt === undefined) continue;
    results[name].ratio.push(withIt.rate / without.rate);
    results[name].cpu.push(withIt.cpu - without.cpu);
  }
}
for (const [name, { ratio, cpu }] of Object.entries(results)) {
  console.log(
    `${name} calls: throughput ratio ${spread(ratio, 3)}, ${spread(cpu, 1)} us more main-thread CPU per call`,
  );
}
plain.session.close();
tracked.session.close();
for (const child of started) child.disconnect();
