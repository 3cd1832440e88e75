// The service that is killed: `node crash-service.js --brokers B --directory D --effects FILE --durability process`.
//
// Its handler writes down each call that it carries out, with one write that the kernel keeps when the process dies. It prints
// its port when it listens. At SIGTERM it shuts down, and prints the counts of the spool.
import { openSync, writeSync } from "node:fs";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { sessionContextKey } from "../../src/index.js";
import { startSessionTracking } from "../../src/kafka/start.js";

const { values } = parseArgs({
  options: {
    brokers: { type: "string" },
    directory: { type: "string", default: "" },
    effects: { type: "string", default: "" },
    durability: { type: "string", default: "process" },
  },
});

const effects = openSync(values.effects, "a");
const tracking = startSessionTracking({
  env: false,
  log: false,
  service: "crash",
  kafka: { brokers: values.brokers, closeTimeoutMs: 2_000, deliveryTimeoutMs: 3_000 },
  spool: { directory: values.directory, durability: values.durability === "power" ? "power" : "process" },
});
const handler = connectNodeAdapter(
  tracking.adapterOptions({
    routes: (router) =>
      router.service(AccountService, {
        async changePassword(_, context) {
          writeSync(effects, `${context.values.get(sessionContextKey)}\n`);
          await sleep(Math.random() * 5);
          return {};
        },
      }),
  }),
);
const server = tracking.watch(createServer(handler));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});

process.once("SIGTERM", () => void end());

async function end(): Promise<void> {
  const { spool } = await tracking.shutDown({ graceMs: 1_000 });
  process.stdout.write(`${JSON.stringify(spool)}\n`);
}
