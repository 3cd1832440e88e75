import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { type SessionActivityEvent, sessionHeaders } from "connect-session-activity";
import { startConsole } from "connect-session-activity/console";
import { createSignalHistory, openSignalDatabase, type SignalChange } from "connect-session-activity/history";
import {
  createSessionActivityConsumer,
  sessionTrackingFromEnv,
  startEmbeddedKafka,
  startSessionTracking,
} from "connect-session-activity/kafka";
import {
  createSessionKeySet,
  createSessionSigner,
  createSessionVerifier,
  verifySessionActivity,
} from "connect-session-activity/signature";
import { startAccountService } from "./account-service.js";
import { type Expected, makeCalls } from "./client.js";
import { startGateway } from "./gateway.js";
import { startNotificationService } from "./notification-service.js";
import { say, sayChange, sayEvent, sayJson, title } from "./print.js";

const patienceMs = 30_000;
const audience = "account-service";
/** Whether the demo stays up with a console, until it is interrupted. */
const keep = process.argv.includes("--keep");

async function main(): Promise<boolean> {
  const configured = sessionTrackingFromEnv();
  const embedded = configured.kafka?.brokers === undefined ? await startEmbeddedKafka() : undefined;
  const brokers = embedded?.brokers ?? configured.kafka?.brokers ?? "";
  title(`Kafka: ${embedded === undefined ? brokers : `embedded, on ${brokers}`}`);

  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const keys = createSessionKeySet({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "gateway-1" }] });
  const tracking = startSessionTracking({
    service: "account-service",
    verify: createSessionVerifier({ keys, audience }),
    kafka: {
      brokers,
      // If the topic does not exist and may not be created, that is said while the demo still runs.
      properties: { "topic.metadata.propagation.max.ms": 4_000, ...configured.kafka?.properties },
    },
  });
  const database = openSignalDatabase(); // embedded, in memory
  const history = createSignalHistory({ database, requireVerified: true, keepAll: keep });
  await history.migrate();
  const { topic, properties } = configured.kafka ?? {};
  const view = keep ? await startConsole({ brokers, topic, properties, database }) : undefined;
  const consumed: SessionActivityEvent[] = [];
  const consumer = createSessionActivityConsumer({
    brokers,
    topic: configured.kafka?.topic,
    groupId: `demo-${Date.now()}`,
    properties: { ...configured.kafka?.properties, ...(embedded && { "group.protocol": "consumer" }) },
    async handle(event) {
      await history.record(event);
      consumed.push(event);
    },
    onInvalid: ({ partition, offset }, reason) =>
      say("from Kafka", `partition ${partition}, offset ${offset}: ${reason}`),
  });

  const received: Headers[] = [];
  const notifications = await startNotificationService((headers) => received.push(headers));
  const account = await startAccountService(tracking, notifications.url);
  const signer = createSessionSigner({ key: privateKey, keyId: "gateway-1", audience });
  const gateway = await startGateway(account.url, signer);

  const expected = await makeCalls(gateway.url, account.url);
  gateway.close();
  const { publisher: published } = await tracking.shutDown();
  account.close();
  notifications.close();

  title("What arrived");
  const mine = (): SessionActivityEvent[] => consumed.filter(({ service }) => service === "account-service");
  await until(() => mine().length >= published.delivered);
  const events = mine().sort((a, b) => Number(a.sequence - b.sequence));
  for (const event of events) sayEvent(event);
  const [, , , changePassword] = events;
  title("The fourth one in full");
  if (changePassword !== undefined) sayJson(changePassword);
  title("What changed in the session, and which activity changed it");
  const changes = await history.history("session-1");
  for (const change of changes) sayChange(change);
  const byReader = await Promise.all(events.map((event) => verifySessionActivity(event, keys, { audience })));
  const marks = [sessionHeaders.track, sessionHeaders.operation, sessionHeaders.signature];
  const contexts = received.map((headers) => headers.get(sessionHeaders.context));
  const isGood = report([
    [
      `the publisher delivered ${published.delivered} of ${published.offered} events${droppedText(published.dropped)}`,
      published.delivered === expected.length,
    ],
    [`${events.length} events arrived, as the calls ended`, equal(events, expected)],
    [
      "the gateway's signature holds for the service and for a reader, on all events but the forged one",
      events.every(({ contextVerified, contextProblem }, i) =>
        [contextVerified, byReader[i]?.verified].every((holds) => holds === (contextProblem === "")),
      ),
    ],
    [`the gateway dropped ${gateway.dropped().headers} forged headers of a call`, gateway.dropped().headers === 2],
    ["the country changed at the second login, and the device at the change of the password", isTold(changes)],
    [
      "the notification service saw the session's context, and none that was forged",
      contexts.length === 3 && contexts[0] === changePassword?.encodedSessionContext && !contexts[1] && !contexts[2],
    ],
    ["the notification service saw no marks", !received.some((headers) => marks.some((name) => headers.has(name)))],
  ]);
  if (view !== undefined) {
    title(`The console is open until you press Ctrl+C. This address works once: ${view.address}`);
    await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
    await view.close();
  }
  await consumer.close();
  await history.close();
  await database.close();
  await embedded?.close();
  return isGood;
}

function droppedText(dropped: Readonly<Record<string, number>>): string {
  return Object.entries(dropped)
    .map(([reason, count]) => `, dropped ${count}: ${reason}`)
    .join("");
}

function equal(events: SessionActivityEvent[], expected: Expected[]): boolean {
  const got = events.map(({ action, status, handlerStatus, contextProblem }) =>
    [action, status, handlerStatus, contextProblem].join(" "),
  );
  const wanted = expected.map(({ action, status, handlerStatus = "", problem = "" }) =>
    [action, status, handlerStatus, problem].join(" "),
  );
  return JSON.stringify(got.sort()) === JSON.stringify(wanted.sort());
}

function isTold(changes: SignalChange[]): boolean {
  const lines = changes
    .filter(({ signal }) => signal === "country" || signal === "device_id")
    .map(({ action, signal, previousValue, value }) => [action, signal, previousValue ?? "", value].join(" "));
  const wanted = [
    "login country  DE",
    "login device_id  phone",
    "login country DE FR",
    "change_password device_id phone laptop",
  ];
  return JSON.stringify(lines) === JSON.stringify(wanted);
}

function report(checks: [text: string, holds: boolean][]): boolean {
  title("Summary");
  for (const [text, holds] of checks) console.log(`  ${holds ? "ok  " : "FAIL"}  ${text}`);
  return checks.every(([, holds]) => holds);
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}

process.exitCode = (await main()) ? 0 : 1;
