// A service that is to be killed: `node killed-service.mjs COMPILED OPTIONS`. It says "ready" when Kafka has the events of five
// calls, and a sixth one is with its handler, which never ends.
import { createClient, createRouterTransport } from "@connectrpc/connect";

const [, , compiled, options] = process.argv;
const { startSessionTracking } = await import(`${compiled}/src/kafka/index.js`);
const { AccountService } = await import(`${compiled}/gen/example/account/v1/account_pb.js`);

const tracking = startSessionTracking({ env: false, log: false, service: "killed", ...JSON.parse(options) });
const routes = (router) =>
  router.service(AccountService, { changePassword: () => ({}), login: () => new Promise(() => {}) });
const transport = createRouterTransport(routes, { router: { interceptors: [tracking.interceptor] } });
const client = createClient(AccountService, transport);
const headers = { "x-session-track": "true", "x-session-context": "c2Vzc2lvbi0x" };

for (let call = 0; call < 5; call += 1) await client.changePassword({}, { headers });
void client.login({}, { headers });
const isReady = () => {
  const { interceptor, publisher, runs } = tracking.stats();
  return interceptor.open === 1 && publisher.delivered === 5 && runs.delivered > 0;
};
while (!isReady()) await new Promise((resolve) => setTimeout(resolve, 20));
process.stdout.write("ready\n");
