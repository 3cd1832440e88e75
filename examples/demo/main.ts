import { type SessionActivityEvent, sessionHeaders } from "connect-session-activity";
import {
  createSessionActivityConsumer,
  sessionTrackingFromEnv,
  startEmbeddedKafka,
  startSessionTracking,
} from "connect-session-activity/kafka";
import { startAccountService } from "./account-service.js";
import { type Expected, makeCalls } from "./gateway.js";
import { startNotificationService } from "./notification-service.js";
import { say, sayEvent, sayJson, title } from "./print.js";

const patienceMs = 30_000;

async function main(): Promise<boolean> {
  const configured = sessionTrackingFromEnv();
  const embedded = configured.kafka?.brokers === undefined ? await startEmbeddedKafka() : undefined;
  const brokers = embedded?.brokers ?? configured.kafka?.brokers ?? "";
  title(`Kafka: ${embedded === undefined ? brokers : `embedded, on ${brokers}`}`);

  const shutdown = new AbortController();
  const tracking = startSessionTracking({
    ...configured,
    service: "account-service",
    shutdownSignal: shutdown.signal,
    kafka: {
      ...configured.kafka,
      brokers,
      // Where the topic is not there and may not be created, that is said while the demo still runs.
      properties: { "topic.metadata.propagation.max.ms": 4_000, ...configured.kafka?.properties },
    },
  });
  const instanceEvents: SessionActivityEvent[] = [];
  const consumer = createSessionActivityConsumer({
    brokers,
    topic: configured.kafka?.topic,
    groupId: `demo-${Date.now()}`,
    properties: { ...configured.kafka?.properties, ...(embedded && { "group.protocol": "consumer" }) },
    handle(event) {
      instanceEvents.push(event);
    },
    onInvalid: ({ partition, offset }, reason) =>
      say("from Kafka", `partition ${partition}, offset ${offset}: ${reason}`),
  });

  const leaked: string[] = [];
  let contextSeen = false;
  const notifications = await startNotificationService((headers) => {
    const { context, ...marks } = sessionHeaders;
    contextSeen ||= headers.has(context);
    leaked.push(...Object.values(marks).filter((name) => headers.has(name)));
  });
  const account = await startAccountService(tracking, shutdown.signal, notifications.url);

  const expected = (await makeCalls(account.url)).filter((event) => event !== null);
  shutdown.abort();
  account.close();
  notifications.close();
  const published = await tracking.close();

  title("What arrived");
  const mine = (): SessionActivityEvent[] => instanceEvents.filter(({ service }) => service === "account-service");
  await until(() => mine().length >= published.delivered);
  const events = mine().sort((a, b) => Number(a.sequence - b.sequence));
  for (const event of events) sayEvent(event);
  title("The third one in full");
  if (events[2] !== undefined) sayJson(events[2]);
  await consumer.close();
  await embedded?.close();

  return report([
    [
      `the publisher delivered ${published.delivered} of ${published.offered} events${droppedText(published.dropped)}`,
      published.delivered === expected.length,
    ],
    [`${events.length} events arrived for ${expected.length} marked calls`, equal(events, expected)],
    ["the notification service saw the session context", contextSeen],
    [`the notification service saw no marks${leaked.map((name) => `, but ${name}`).join("")}`, leaked.length === 0],
  ]);
}

function droppedText(dropped: Readonly<Record<string, number>>): string {
  return Object.entries(dropped)
    .map(([reason, count]) => `, dropped ${count}: ${reason}`)
    .join("");
}

function equal(events: SessionActivityEvent[], expected: Expected[]): boolean {
  const text = ({ action, status, handlerStatus }: NonNullable<Expected>): string =>
    `${action} ${status} ${handlerStatus}`;
  const wanted = expected.map((event) => (event === null ? "" : text(event))).sort();
  return JSON.stringify(events.map(text).sort()) === JSON.stringify(wanted);
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
