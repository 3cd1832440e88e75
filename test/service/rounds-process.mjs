// Starts and shuts down a service over and over: argv holds the compiled package and how often. After each round it says what is
// left of it, as JSON: resources that keep the process, threads, and listeners of what outlives a round.
import { getEventListeners } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";

const [compiled, rounds] = process.argv.slice(2);
const { startEmbeddedKafka, startSessionTracking } = await import(`${compiled}/src/kafka/index.js`);
const { AccountService } = await import(`${compiled}/gen/example/account/v1/account_pb.js`);
process.on("warning", ({ name, message }) => {
  if (name !== "TimeoutNegativeWarning") process.stderr.write(`${name}: ${message}\n`);
});
// All rounds share them, as the servers of a test run may.
const shutdown = new AbortController();
const kafka = await startEmbeddedKafka();
const headers = { "x-session-track": "true", "x-session-context": "c" };

async function round() {
  const tracking = startSessionTracking({
    env: false,
    service: "account-service",
    kafka: { brokers: kafka.brokers },
    shutdownSignal: shutdown.signal,
  });
  const routes = (router) => router.service(AccountService, { changePassword: () => ({}) });
  const options = tracking.adapterOptions({ routes, shutdownSignal: shutdown.signal });
  const server = tracking.watch(createServer(connectNodeAdapter(options)));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "2", sessionManager }));
  for (let calls = 0; calls < 3; calls += 1) await client.changePassword({}, { headers });
  const { publisher } = await tracking.shutDown();
  sessionManager.abort();
  return publisher.delivered;
}

function listeners() {
  const emitters = [process, process.stdout, process.stderr];
  const count = (one) => one.eventNames().reduce((sum, name) => sum + one.listenerCount(name), 0);
  return emitters.reduce((sum, one) => sum + count(one), getEventListeners(shutdown.signal, "abort").length);
}

for (let done = 0; done < Number(rounds); done += 1) {
  const delivered = await round();
  await new Promise((resolve) => setTimeout(resolve, 60));
  const threads = process.platform === "linux" ? readdirSync("/proc/self/task").length : 0;
  const { length: resources } = process.getActiveResourcesInfo();
  process.stdout.write(`${JSON.stringify({ delivered, resources, threads, listeners: listeners() })}\n`);
}
await kafka.close();
