// What a service does, as small as it can be: it records a call, and opens both kinds of databases. Every environment runs this.
import * as http2 from "node:http2";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { openSignalDatabase } from "connect-session-activity/history";
import { startEmbeddedKafka, startSessionTracking } from "connect-session-activity/kafka";
import { markHeaders } from "connect-session-activity/testing";
import { AccountService } from "example-account";

/** Runs the service, with an embedded Kafka or for brokers that are given. Resolves to what became of it. */
export async function run(brokers) {
  const kafka = brokers === undefined ? await startEmbeddedKafka() : undefined;
  const tracking = startSessionTracking({
    service: "account-service",
    kafka: { brokers: brokers ?? kafka.brokers },
    env: false,
  });
  await call(tracking);
  const { publisher, interceptor } = await tracking.shutDown();
  await kafka?.close();
  const { delivered, dropped } = publisher;
  return { statuses: interceptor.byStatus, delivered, dropped, databases: await openDatabases() };
}

async function call(tracking) {
  const routes = (router) => router.service(AccountService, { changePassword: () => ({ revision: 1 }) });
  const server = tracking.watch(http2.createServer(connectNodeAdapter(tracking.adapterOptions({ routes }))));
  await new Promise((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const baseUrl = `http://127.0.0.1:${server.address().port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const client = createClient(AccountService, createConnectTransport({ baseUrl, httpVersion: "2", sessionManager }));
  await client.changePassword({}, { headers: markHeaders({ operation: "change_password" }) });
  sessionManager.abort();
}

/** No server is where pg looks for one: its error shows that pg was loaded. PGlite is loaded, and not started. */
async function openDatabases() {
  const server = openSignalDatabase({ url: "postgresql://127.0.0.1:1/none", env: false });
  const refused = await server.query("select 1").catch((error) => error.code);
  await server.close();
  await openSignalDatabase({ env: false }).close();
  return refused;
}
