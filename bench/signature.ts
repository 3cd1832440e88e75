// What signing and verifying marks costs per marked call: `npm run bench:signature`.
//
// jose signs and verifies on Node's thread pool, so the main thread's CPU is less than that of all threads. First the
// operations by themselves, then a server that verifies against one that believes, and against one without us, and last a
// gateway that signs against one that does not: empty gRPC calls over HTTP/2, 16 at a time, taking turns. Client and servers
// share the machine, so the throughput of wall-clock time is that of a machine without other work; the ratio of the CPU of
// client and server together holds on a busy one, too.
import { type ChildProcess, fork } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import * as http2 from "node:http2";
import { fileURLToPath } from "node:url";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { createSessionGatewayInterceptor, type SessionSigner, sessionHeaders } from "connect-session-activity";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "connect-session-activity/signature";
import { AccountService } from "../gen/example/account/v1/account_pb.js";
import { mainThreadCpuUs, spread } from "./measure.js";

const concurrency = 16;
const rounds = 9;
const operations = 4_000;
const calls = 4_000;
const audience = "account-service";
const pairs = {
  EdDSA: generateKeyPairSync("ed25519"),
  ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
} as const;
const algorithms = ["EdDSA", "ES256"] as const;
const publicJwks = algorithms.map((kid) => ({ ...pairs[kid].publicKey.export({ format: "jwk" }), kid }));
const mark = {
  context: "c2Vzc2lvbi".repeat(60),
  operation: "change_password",
  procedure: "/example.account.v1.AccountService/ChangePassword",
};
const signers = {
  EdDSA: createSessionSigner({ key: pairs.EdDSA.privateKey, keyId: "EdDSA", audience }),
  ES256: createSessionSigner({ key: pairs.ES256.privateKey, keyId: "ES256", audience }),
} as const;

/** Does so many of something, some at a time. Microseconds of CPU of the main thread and of all threads, for each. */
async function costOf(count: number, work: () => Promise<unknown>): Promise<{ mainUs: number; allUs: number }> {
  const mainBefore = mainThreadCpuUs();
  const allBefore = process.cpuUsage();
  let left = count;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) await work();
    }),
  );
  const { user, system } = process.cpuUsage(allBefore);
  return { mainUs: (mainThreadCpuUs() - mainBefore) / count, allUs: (user + system) / count };
}

async function measureOperations(): Promise<void> {
  const keys = createSessionKeySet({ keys: publicJwks });
  const verifier = createSessionVerifier({ keys, audience, maxAgeMs: 3_600_000 });
  for (const algorithm of algorithms) {
    const signature = await signers[algorithm].sign(mark);
    console.log(`${algorithm}: a signature has ${signature.length} characters`);
    const works = {
      sign: () => signers[algorithm].sign(mark),
      verify: async () => {
        if ((await verifier.verify(mark, signature)) !== undefined) throw new Error("a signature does not hold");
      },
    };
    for (const [name, work] of Object.entries(works)) {
      const [main, all]: [number[], number[]] = [[], []];
      for (let round = -2; round < rounds; round++) {
        const { mainUs, allUs } = await costOf(operations, work);
        if (round < 0) continue;
        main.push(mainUs);
        all.push(allUs);
      }
      console.log(
        `${algorithm} ${name}: ${spread(main, 1)} us of main-thread CPU, ${spread(all, 1)} us of all threads`,
      );
    }
  }
}

interface Server {
  readonly port: number;
  readonly process: ChildProcess;
  readonly session: http2.ClientHttp2Session;
}

async function startServer(variant: string): Promise<Server> {
  const script = fileURLToPath(new URL("./signature-server.js", import.meta.url));
  const child = fork(script, [variant, JSON.stringify(publicJwks)]);
  const [port] = (await once(child, "message")) as [number];
  return { port, process: child, session: http2.connect(`http://127.0.0.1:${port}`) };
}

function call({ session }: Server, headers: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": mark.procedure,
      "content-type": "application/grpc+proto",
      te: "trailers",
      ...headers,
    });
    stream.on("trailers", ({ "grpc-status": status }) => {
      if (status !== "0") reject(new Error(`grpc-status ${String(status)}`));
    });
    stream.on("error", reject);
    stream.on("close", resolve);
    stream.resume();
    stream.end(Buffer.alloc(5));
  });
}

interface CpuReport {
  readonly mainUs: number;
  readonly allUs: number;
  readonly unverified: object;
}

async function cpuOf(server: Server): Promise<CpuReport> {
  server.process.send("cpu");
  const [report] = (await once(server.process, "message")) as [CpuReport];
  return report;
}

/** Makes so many calls to a server. `totalUs` is the CPU of client and server together, for each. */
async function run(server: Server, work: () => Promise<unknown>) {
  const before = await cpuOf(server);
  const start = performance.now();
  const client = await costOf(calls, work);
  const rate = calls / (performance.now() - start);
  const after = await cpuOf(server);
  if (Object.keys(after.unverified).length > 0) throw new Error("a signature did not hold");
  const allUs = (after.allUs - before.allUs) / calls;
  return { rate, mainUs: (after.mainUs - before.mainUs) / calls, allUs, totalUs: client.allUs + allUs };
}

async function measureServers(): Promise<void> {
  const servers = {
    plain: await startServer("plain"),
    tracked: await startServer("tracked"),
    verified: await startServer("verified"),
  } as const;
  const names = ["plain", "tracked", "verified"] as const;
  for (const algorithm of algorithms) {
    const headers = {
      [sessionHeaders.track]: "true",
      [sessionHeaders.context]: mark.context,
      [sessionHeaders.operation]: mark.operation,
      [sessionHeaders.signature]: await signers[algorithm].sign(mark),
    };
    const wall = { toTracked: [] as number[], toPlain: [] as number[] };
    const cpu = { toTracked: [] as number[], toPlain: [] as number[] };
    const more = { main: [] as number[], all: [] as number[] };
    for (let round = -2; round < rounds; round++) {
      const measured = new Map<string, Awaited<ReturnType<typeof run>>>();
      // Who goes first changes, so that a drifting machine favours nobody.
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + round + 2) % names.length] ?? "plain";
        measured.set(name, await run(servers[name], () => call(servers[name], headers)));
      }
      const [plain, tracked, verified] = names.map((name) => measured.get(name));
      if (round < 0 || plain === undefined || tracked === undefined || verified === undefined) continue;
      wall.toTracked.push(verified.rate / tracked.rate);
      wall.toPlain.push(verified.rate / plain.rate);
      cpu.toTracked.push(tracked.totalUs / verified.totalUs);
      cpu.toPlain.push(plain.totalUs / verified.totalUs);
      more.main.push(verified.mainUs - tracked.mainUs);
      more.all.push(verified.allUs - tracked.allUs);
    }
    for (const [measure, { toTracked, toPlain }] of Object.entries({ "wall-clock time": wall, CPU: cpu })) {
      console.log(
        `${algorithm}, verifying server: ${spread(toTracked, 3)} of the throughput of one that believes marks, ` +
          `${spread(toPlain, 3)} of one without us, by ${measure}`,
      );
    }
    console.log(
      `${algorithm}, verifying server: ${spread(more.main, 1)} us more main-thread CPU per call, ` +
        `${spread(more.all, 1)} us of all threads`,
    );
  }
  for (const { process: child, session } of Object.values(servers)) {
    session.close();
    child.disconnect();
  }
}

/** The gateway's side: clients of connect-node that sign against one that only marks. */
async function measureGateways(): Promise<void> {
  const server = await startServer("plain");
  const baseUrl = `http://127.0.0.1:${server.port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const connect = (sign: SessionSigner | undefined) => {
    const gateway = createSessionGatewayInterceptor({
      session: () => mark.context,
      operations: new Map([[AccountService.method.changePassword, mark.operation]]),
      sign,
    });
    return createClient(AccountService, createGrpcTransport({ baseUrl, sessionManager, interceptors: [gateway] }));
  };
  const clients = { unsigned: connect(undefined), EdDSA: connect(signers.EdDSA), ES256: connect(signers.ES256) };
  const names = ["unsigned", ...algorithms] as const;
  const wall = { EdDSA: [] as number[], ES256: [] as number[] };
  const cpu = { EdDSA: [] as number[], ES256: [] as number[] };
  for (let round = -2; round < rounds; round++) {
    const measured = new Map<string, Awaited<ReturnType<typeof run>>>();
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + 2) % names.length] ?? "unsigned";
      measured.set(name, await run(server, () => clients[name].changePassword({})));
    }
    const unsigned = measured.get("unsigned");
    for (const name of algorithms) {
      const signed = measured.get(name);
      if (round < 0 || signed === undefined || unsigned === undefined) continue;
      wall[name].push(signed.rate / unsigned.rate);
      cpu[name].push(unsigned.totalUs / signed.totalUs);
    }
  }
  for (const name of algorithms) {
    for (const [measure, ratios] of Object.entries({ "wall-clock time": wall, CPU: cpu })) {
      console.log(
        `${name}, signing gateway: ${spread(ratios[name], 3)} of the throughput of one that does not sign, by ${measure}`,
      );
    }
  }
  sessionManager.abort();
  server.session.close();
  server.process.disconnect();
}

await measureOperations();
await measureServers();
await measureGateways();
