// What signing and verifying marks costs per marked call: `npm run bench:signature`.
//
// jose signs and verifies on Node's thread pool, so the main thread's CPU is less than that of all threads. First the
// operations by themselves, then a server that verifies against one that believes, and against one without us, and last a
// gateway that signs against one that does not: empty gRPC calls over HTTP/2, 16 at a time, taking turns. Client and servers
// share the machine.
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

async function run(server: Server, headers: Record<string, string>) {
  const before = await cpuOf(server);
  const start = performance.now();
  await costOf(calls, () => call(server, headers));
  const rate = calls / (performance.now() - start);
  const after = await cpuOf(server);
  if (Object.keys(after.unverified).length > 0) throw new Error("a signature did not hold");
  return { rate, mainUs: (after.mainUs - before.mainUs) / calls, allUs: (after.allUs - before.allUs) / calls };
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
    const ratios = { toTracked: [] as number[], toPlain: [] as number[], main: [] as number[], all: [] as number[] };
    const mainUs = { plain: [] as number[], tracked: [] as number[], verified: [] as number[] };
    for (let round = -2; round < rounds; round++) {
      const measured = new Map<string, Awaited<ReturnType<typeof run>>>();
      // Who goes first changes, so that a drifting machine favours nobody.
      for (let i = 0; i < names.length; i++) {
        const name = names[(i + round + 2) % names.length] ?? "plain";
        measured.set(name, await run(servers[name], headers));
      }
      const [plain, tracked, verified] = names.map((name) => measured.get(name));
      if (round < 0 || plain === undefined || tracked === undefined || verified === undefined) continue;
      for (const name of names) mainUs[name].push(measured.get(name)?.mainUs ?? Number.NaN);
      ratios.toTracked.push(verified.rate / tracked.rate);
      ratios.toPlain.push(verified.rate / plain.rate);
      ratios.main.push(verified.mainUs - tracked.mainUs);
      ratios.all.push(verified.allUs - tracked.allUs);
    }
    console.log(
      `${algorithm}, verifying server: ${spread(ratios.toTracked, 3)} of the throughput of one that believes marks, ` +
        `${spread(ratios.toPlain, 3)} of one without us; ${spread(ratios.main, 1)} us more main-thread CPU per call, ` +
        `${spread(ratios.all, 1)} us of all threads`,
    );
    for (const name of names) console.log(`  ${name}: ${spread(mainUs[name], 1)} us of main-thread CPU per call`);
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
  const ratios = { EdDSA: [] as number[], ES256: [] as number[] };
  for (let round = -2; round < rounds; round++) {
    const rates = new Map<string, number>();
    for (let i = 0; i < names.length; i++) {
      const name = names[(i + round + 2) % names.length] ?? "unsigned";
      const start = performance.now();
      await costOf(calls, () => clients[name].changePassword({}));
      rates.set(name, calls / (performance.now() - start));
    }
    if (round < 0) continue;
    for (const name of algorithms) ratios[name].push((rates.get(name) ?? 0) / (rates.get("unsigned") ?? 0));
  }
  for (const name of algorithms) {
    console.log(`${name}, signing gateway: ${spread(ratios[name], 3)} of the throughput of one that does not sign`);
  }
  sessionManager.abort();
  server.session.close();
  server.process.disconnect();
}

await measureOperations();
await measureServers();
await measureGateways();
