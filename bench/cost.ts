// What the interceptor costs the main thread, per call, and what an event weighs: `npm run bench:cost`.
//
// The interceptor is called as Connect calls it, with a handler that does nothing, and the same loop without it is
// subtracted. Events go to an embedded broker in a process of its own. A gRPC call over HTTP/2 is many times as dear as all
// of this: see calls.ts for the whole.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { createContextValues, type Interceptor } from "@connectrpc/connect";
import { createSessionActivityInterceptor, type Publisher, SessionActivityEventSchema } from "connect-session-activity";
import { createKafkaPublisher } from "connect-session-activity/kafka";
import { AccountService } from "../gen/example/account/v1/account_pb.js";
import { mainThreadCpuUs, median, spread } from "./measure.js";

const calls = 20_000;
const concurrency = 16;
const rounds = 9;
const context = "c2Vzc2lvbi".repeat(60);

type Next = Parameters<Interceptor>[0];
type Call = Parameters<Next>[0];

const method = AccountService.method.changePassword;
const next: Next = () => {
  const answer = {
    stream: false,
    service: AccountService,
    method,
    header: new Headers(),
    trailer: new Headers(),
    message: {},
  };
  return Promise.resolve(answer as unknown as Awaited<ReturnType<Next>>);
};
const everyCall = { "content-type": "application/grpc+proto", "user-agent": "bench/1", te: "trailers" };
const marks = { "x-session-track": "true", "x-session-context": context, "x-session-operation": "change_password" };

/** CPU per call of the main thread, in microseconds, until all its events are delivered. */
async function costOf(fn: Next, headers: Record<string, string>, publisher: Publisher | undefined): Promise<number> {
  const delivered = (): boolean => publisher === undefined || publisher.stats().queued === 0;
  const start = mainThreadCpuUs();
  for (let done = 0; done < calls; done += concurrency) {
    await Promise.all(Array.from({ length: concurrency }, () => oneCall(fn, headers)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (!delivered()) await new Promise((resolve) => setTimeout(resolve, 5));
  return (mainThreadCpuUs() - start) / calls;
}

async function oneCall(fn: Next, headers: Record<string, string>): Promise<void> {
  const controller = new AbortController();
  const call = {
    stream: false,
    service: AccountService,
    method,
    requestMethod: "POST",
    url: "http://localhost/",
    signal: controller.signal,
    header: new Headers(headers),
    contextValues: createContextValues(),
    message: {},
  };
  await fn(call as unknown as Call);
  controller.abort();
}

const broker = fork(fileURLToPath(new URL("./broker.js", import.meta.url)));
const [brokers] = (await once(broker, "message")) as [string];
const kafka = createKafkaPublisher({ brokers, maxQueuedEvents: calls });
const discard: Publisher = {
  publish() {},
  stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(discard.stats()),
};
const through = (publisher: Publisher): Next =>
  createSessionActivityInterceptor({ service: "account-service", publisher, log: false })(next);

const all = { ...everyCall, ...marks };
const variants: [name: string, fn: Next, headers: Record<string, string>, baseline: string, publisher?: Publisher][] = [
  ["no interceptor, unmarked", next, everyCall, ""],
  ["no interceptor, marked", next, all, ""],
  ["unmarked call", through(kafka), everyCall, "no interceptor, unmarked"],
  ["marked call, publisher that discards", through(discard), all, "no interceptor, marked"],
  ["marked call, Kafka publisher", through(kafka), all, "no interceptor, marked", kafka],
];
const costs = new Map<string, number[]>(variants.map(([name]) => [name, []]));
for (let round = -1; round < rounds; round++) {
  for (const [name, fn, headers, , publisher] of variants) {
    const cost = await costOf(fn, headers, publisher);
    if (round >= 0) costs.get(name)?.push(cost);
  }
}
for (const [name, , , baseline] of variants) {
  if (baseline === "") continue;
  const without = median(costs.get(baseline) ?? []);
  console.log(
    `${name}: ${spread(
      (costs.get(name) ?? []).map((cost) => cost - without),
      2,
    )} us of main-thread CPU`,
  );
}

// The fields that the Go original puts into its JSON: service, action, status, duration and the context.
const equalFields = create(SessionActivityEventSchema, {
  encodedSessionContext: context,
  service: "account-service",
  action: "change_password",
  status: "OK",
  duration: { nanos: 12_345_678 },
});
const bytes = toBinary(SessionActivityEventSchema, equalFields).length - context.length;
console.log(`bytes beside the context at equal fields: ${bytes}, ${(bytes / 131).toFixed(2)} of the Go original's 131`);

const { dropped } = await kafka.close();
if (Object.keys(dropped).length > 0) throw new Error(`events were dropped: ${JSON.stringify(dropped)}`);
broker.kill();
