// A service in a process of its own: argv holds its settings as JSON. It says "listening <port>" when it listens, "open" when
// that many calls are with their handlers, "told" when it begins to shut down, which SIGTERM makes it do, and then its counts
// and events as JSON. It does not end itself: that its process ends is what a test is about.
import { createServer as createHttp } from "node:http";
import { createServer as createHttp2, createSecureServer } from "node:http2";
import { createServer as createHttps } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { connectNodeAdapter } from "@connectrpc/connect-node";

const settings = JSON.parse(process.argv[2]);
const { compiled, transport, tls, graceMs, drainTimeoutMs, brokers, openCalls } = settings;
const { startSessionTracking } = await import(`${compiled}/src/kafka/index.js`);
const { AccountService } = await import(`${compiled}/gen/example/account/v1/account_pb.js`);
const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);

process.on("warning", ({ name, message }) => {
  if (name !== "TimeoutNegativeWarning") say("warning", name, message);
});

const events = [];
const tracking = startSessionTracking({
  env: false,
  service: "account-service",
  drainTimeoutMs,
  kafka: { brokers, closeTimeoutMs: 5_000 },
  log: { debug() {}, info() {}, warn: (details, message) => say("log", message, JSON.stringify(details)), error: say },
  onDrop: (reason, { encodedSessionContext, status, handlerStatus, procedure }) =>
    events.push({ reason, context: encodedSessionContext, status, handlerStatus, procedure }),
});

let open = 0;
let shutDown;
const told = new Promise((resolve) => {
  shutDown = resolve;
});
function began() {
  open += 1;
  if (open === openCalls) say("open");
}
const aborted = ({ signal }) =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

/** How calls end, by the header x-ending. */
const endings = {
  // Not sooner: a client that stands still meanwhile reads GOAWAY and answers at once, and then Node's loses answers on TLS.
  soon: () => told.then(() => sleep(1_000)),
  told: aborted,
  late: () => told.then(() => sleep(graceMs + 500)),
  never: () => new Promise(() => {}),
};
const ending = (context) => endings[context.requestHeader.get("x-ending")](context);

async function* drip(context) {
  let over = false;
  const end = ending(context).finally(() => {
    over = true;
  });
  end.catch(() => {});
  for (let revision = 1; !over; revision += 1) {
    yield { revision };
    await Promise.race([sleep(50), end]);
  }
  await end;
}

async function consume(requests, context) {
  let revision = 0;
  const read = async () => {
    for await (const _ of requests) revision += 1;
  };
  const isObedient = context.requestHeader.get("x-ending") === "told";
  const isDeaf = context.requestHeader.get("x-ending") === "never";
  await (isObedient ? Promise.race([read(), aborted(context)]) : read());
  if (isDeaf) await endings.never();
  return revision;
}

const routes = (router) =>
  router.service(AccountService, {
    async changePassword(_, context) {
      began();
      await ending(context);
      return { revision: 1 };
    },
    async *watchSessions(_, context) {
      began();
      yield* drip(context);
    },
    async importDevices(requests, context) {
      began();
      return { revision: await consume(requests, context) };
    },
    async *syncDevices(requests, context) {
      began();
      yield { revision: 0 };
      yield { revision: await consume(requests, context) };
    },
  });

const handler = connectNodeAdapter(tracking.adapterOptions({ routes }));
const create = {
  http: () => createHttp(handler),
  https: () => createHttps(tls, handler),
  h2c: () => createHttp2(handler),
  http2: () => createSecureServer(tls, handler),
  "http2 with HTTP/1.1": () => createSecureServer({ ...tls, allowHTTP1: true }, handler),
};
const server = tracking.watch(create[transport]());
server.listen(0, "127.0.0.1", () => say("listening", server.address().port));

process.once("SIGTERM", () => void stop());

async function stop() {
  say("told");
  shutDown();
  const startedAt = performance.now();
  const stats = await tracking.shutDown({ graceMs });
  say("done", JSON.stringify({ stats, events, ms: performance.now() - startedAt }));
}
