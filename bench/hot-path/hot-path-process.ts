// Does one of some works as often as it is asked: `node hot-path-process.js BROKERS`.
import { generateKeyPairSync } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { createContextValues, type Interceptor } from "@connectrpc/connect";
import { createSessionActivityInterceptor, type Publisher, sessionHeaders } from "connect-session-activity";
import { createKafkaPublisher } from "connect-session-activity/kafka";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "connect-session-activity/signature";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { answerParent } from "../kit/peer-process.js";
import { cpuBetween, type ThreadCpu, threadsOf } from "../kit/thread-cpu.js";
import { typicalContext } from "../kit/typical-event.js";

export type WorkName =
  | "marked, no interceptor"
  | "marked, events dropped"
  | "marked, Kafka"
  | "EdDSA, sign"
  | "EdDSA, verify"
  | "ES256, sign"
  | "ES256, verify";

/** Which work to do, and how often. */
export interface WorkQuestion {
  readonly name: WorkName;
  readonly count: number;
}

type Next = Parameters<Interceptor>[0];
type Work = () => Promise<unknown>;

const concurrency = 16;
const { pid } = process;
const [service, method] = [AccountService, AccountService.method.changePassword];
const everyCall = { "content-type": "application/grpc+proto", "user-agent": "bench/1", te: "trailers" };
const [context, operation] = [typicalContext(1), "change_password"];
const marks = {
  [sessionHeaders.track]: "true",
  [sessionHeaders.context]: context,
  [sessionHeaders.operation]: operation,
};

const next: Next = () => {
  const answer = { stream: false, service, method, header: new Headers(), trailer: new Headers(), message: {} };
  return Promise.resolve(answer as unknown as Awaited<ReturnType<Next>>);
};

/** Calls an interceptor as Connect does, with a handler that does nothing. */
function calling(fn: Next, headers: Readonly<Record<string, string>>): Work {
  return async () => {
    const controller = new AbortController();
    const call = {
      stream: false,
      service,
      method,
      requestMethod: "POST",
      url: "http://localhost/",
      signal: controller.signal,
      header: new Headers(headers),
      contextValues: createContextValues(),
      message: {},
    };
    await fn(call as unknown as Parameters<Next>[0]);
    controller.abort();
  };
}

function through(publisher: Publisher | undefined): Next {
  return createSessionActivityInterceptor({ service: "account-service", publisher, log: false })(next);
}

async function signatureWorks(algorithm: "EdDSA" | "ES256"): Promise<readonly [sign: Work, verify: Work]> {
  const { privateKey, publicKey } =
    algorithm === "EdDSA" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const audience = "account-service";
  const jwk = { ...publicKey.export({ format: "jwk" }), kid: algorithm };
  const signer = createSessionSigner({ key: privateKey, keyId: algorithm, audience });
  const keys = createSessionKeySet({ keys: [jwk] });
  const verifier = createSessionVerifier({ keys, audience, maxAgeMs: 3_600_000 });
  const mark = { context, operation, procedure: `/${service.typeName}/${method.name}` };
  const signature = await signer.sign(mark);
  const verify = async (): Promise<void> => {
    if ((await verifier.verify(mark, signature)) !== undefined) throw new Error("a signature does not hold");
  };
  return [() => signer.sign(mark), verify];
}

const kafka = createKafkaPublisher({ brokers: process.argv[2] ?? "" });
const all = { ...everyCall, ...marks };
const [signEdDsa, verifyEdDsa] = await signatureWorks("EdDSA");
const [signEs256, verifyEs256] = await signatureWorks("ES256");
const works: Readonly<Record<WorkName, Work>> = {
  "marked, no interceptor": calling(next, all),
  "marked, events dropped": calling(through(undefined), all),
  "marked, Kafka": calling(through(kafka), all),
  "EdDSA, sign": signEdDsa,
  "EdDSA, verify": verifyEdDsa,
  "ES256, sign": signEs256,
  "ES256, verify": verifyEs256,
};

/** The CPU time of it, until all events are delivered. */
async function measure({ name, count }: WorkQuestion): Promise<ThreadCpu> {
  const work = works[name];
  const before = threadsOf(pid);
  for (let done = 0; done < count; done += concurrency) {
    await Promise.all(Array.from({ length: concurrency }, work));
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (kafka.stats().queued > 0) await delay(5);
  if (Object.keys(kafka.stats().dropped).length > 0) throw new Error("events were dropped");
  return cpuBetween(pid, before, threadsOf(pid));
}

answerParent(measure);
