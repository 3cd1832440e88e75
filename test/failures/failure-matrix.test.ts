// Each cell of the matrix in docs/failures.md: a component that works, a failure of what it depends on, what is seen of it,
// and the end of the failure.
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { Server } from "node:net";
import { expect, onTestFinished } from "vitest";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { createEventRecord } from "../../src/publishing/event-record.js";
import type { DropReason } from "../../src/publishing/publisher.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../src/signature/index.js";
import { createDurablePublisher } from "../../src/spool/index.js";
import { writeEvents } from "../kafka/consumer/consumer-fixtures.js";
import { publishRange } from "../kafka/kafka-fixtures.js";
import type { Proxy as Door } from "../kafka/proxy.js";
import { CallMaker, temporaryFolder } from "../spool/spool-fixtures.js";
import { freePorts } from "../support/free-ports.js";
import { until } from "../support/until.js";
import {
  away,
  broken,
  garbling,
  garblingReports,
  occupied,
  type Reader,
  type ReadingComponent,
  refusing,
  silent,
  startKafka,
  startReading,
} from "./failing-kafka.js";
import { observedLog } from "./observed-log.js";
import { runCells, type Starts, type Subject } from "./run-cells.js";

const audience = "account-service";
const pair = generateKeyPairSync("ed25519");
const jwks = { keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "k" } as JsonWebKey] };

/** A verifier whose JWKS is on a server that can do all kinds of things. */
async function startVerifier(
  answer: RequestListener | "absent",
  { maxStaleMs }: { maxStaleMs?: number } = {},
): Promise<Subject> {
  let current: RequestListener = (_, response) => void response.end(JSON.stringify(jwks));
  const good = current;
  const [port = 0] = await freePorts(1);
  let server: Server | undefined;
  const open = (): Promise<void> =>
    new Promise((resolve) => {
      server = createHttpServer((request, response) => current(request, response)).listen(port, "127.0.0.1", resolve);
    });
  const shut = (): Promise<void> =>
    new Promise((resolve) => {
      (server as ReturnType<typeof createHttpServer>).closeAllConnections();
      server?.close(() => resolve());
    });
  await open();
  onTestFinished(async () => {
    if (server?.listening) await shut();
  });
  const log = observedLog();
  const url = `http://127.0.0.1:${port}/jwks`;
  const keys = createSessionKeySet({ jwksUrl: url, refreshMs: 100, timeoutMs: 2_000, maxStaleMs, log });
  onTestFinished(() => keys.close());
  await keys.ready();
  const verifier = createSessionVerifier({ keys, audience });
  const signer = createSessionSigner({ key: pair.privateKey, keyId: "k", audience });
  const mark = { context: "c", operation: undefined, procedure: "/a.B/C" };
  let verdict: string | undefined;
  const verify = async (): Promise<void> => {
    verdict = (await verifier.verify(mark, await signer.sign(mark))) ?? "verified";
  };
  return {
    log,
    stats: () => {
      void verify();
      return { ...keys.stats(), verdict };
    },
    async works() {
      await until(() => keys.stats().refreshed > 0, keys.stats);
      await verify();
      expect(verdict).toBe("verified");
    },
    fail: () => {
      if (answer === "absent") return shut();
      current = answer;
    },
    async recover() {
      if (maxStaleMs === undefined) {
        await verify();
        expect(verdict).toBe("verified");
      }
      current = good;
      if (!server?.listening) await open();
      const { refreshed } = keys.stats();
      // After a failure, the next attempt is due in refreshMs.
      await until(() => keys.stats().refreshed > refreshed, keys.stats);
      await verify();
      expect(verdict).toBe("verified");
      expect(keys.stats()).toMatchObject({ refreshProblem: undefined, stale: false });
    },
  };
}

runCells("npm test", "JWKS", {
  "is absent: verifier": () => startVerifier("absent"),
  "refuses (connections are reset): verifier": () => startVerifier(({ socket }) => void socket.resetAndDestroy()),
  "hangs: verifier": () => startVerifier(() => {}),
  "answers wrongly: verifier": () => startVerifier((_, response) => void response.end("<html>")),
  "refuses for good: verifier": () => startVerifier((_, response) => void response.writeHead(403).end()),
  "is absent (for longer than `maxStaleMs`): verifier": () => startVerifier("absent", { maxStaleMs: 3_000 }),
});

const impatient = { "socket.timeout.ms": 1_000, "reconnect.backoff.max.ms": 200, "retry.backoff.max.ms": 200 };

async function startPublisher(fail: (door: Door) => Promise<void> | void, lostAs?: DropReason): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const publisher = createKafkaPublisher({
    brokers: door.address,
    topic: "session-activities",
    properties: impatient,
    log,
  });
  onTestFinished(async () => {
    await door.open(brokers);
    await publisher.close();
  });
  const stats = () => publisher.stats();
  publishRange(publisher, 1, 10);
  return {
    log,
    stats,
    works: () => until(() => publisher.stats().delivered === 10, stats),
    async fail() {
      await fail(door);
      publishRange(publisher, 11, 20);
    },
    async recover() {
      door.fault = undefined;
      await door.open(brokers);
      // What was refused is gone: it takes a moment until the client asks again.
      const expected = lostAs === undefined ? 20 : 11;
      const isBack = (): boolean => {
        if (lostAs !== undefined && publisher.stats().queued === 0) publishRange(publisher, 21, 21);
        return publisher.stats().delivered >= expected;
      };
      await until(isBack, stats);
      expect(Object.keys(publisher.stats().dropped)).toEqual(lostAs === undefined ? [] : [lostAs]);
    },
  };
}

/** A publisher whose spool lies on a real disk. */
async function startStoring(fail: (door: Door) => Promise<void> | void): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const kafka = createKafkaPublisher({
    brokers: door.address,
    topic: "session-activities",
    properties: impatient,
    closeTimeoutMs: 500,
    log,
  });
  const publisher = createDurablePublisher({
    directory: temporaryFolder(),
    publisher: kafka,
    writeTimeoutMs: 4_000,
    log,
  });
  onTestFinished(async () => {
    await door.open(brokers);
    await publisher.close();
  });
  const calls = new CallMaker();
  async function call(times: number): Promise<void> {
    for (let time = 0; time < times; time += 1) {
      const event = calls.start();
      expect(await publisher.begin(createEventRecord(event))).toBeUndefined();
      publisher.publish(calls.end(event));
    }
  }
  const stats = () => ({ ...publisher.stats(), spool: publisher.spool() });
  const untilDelivered = (count: number): Promise<void> =>
    until(() => publisher.stats().delivered === count && publisher.spool().stored === 0, stats, 60_000);
  return {
    log,
    stats,
    async works() {
      await call(10);
      await untilDelivered(10);
    },
    async fail() {
      await fail(door);
      await call(10);
    },
    async recover() {
      door.fault = undefined;
      await door.open(brokers);
      await untilDelivered(20);
      expect(stats()).toMatchObject({ dropped: {}, spool: { unrecorded: {}, setAside: {} } });
    },
  };
}

async function startReader(component: ReadingComponent, fail: (door: Door) => Promise<void> | void): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const reader = startReading(component, log, { brokers: door.address });
  const untilHandled = (count: number): Promise<void> =>
    until(() => reader.consumed()?.handled === count, reader.stats, 60_000);
  await writeEvents(brokers, "session-activities", [1, 10]);
  return {
    log,
    stats: reader.stats,
    works: () => untilHandled(10),
    fail: () => fail(door),
    async recover() {
      door.fault = undefined;
      await door.open(brokers);
      await writeEvents(brokers, "session-activities", [11, 20]);
      await untilHandled(20);
    },
  };
}

/** A worker that finds no broker at its start. */
async function startEarly(): Promise<Subject> {
  const { door, brokers } = await startKafka();
  await door.shut();
  const log = observedLog();
  let worker: Reader | undefined;
  return {
    log,
    stats: () => worker?.stats() ?? {},
    fail() {
      worker = startReading("history worker", log, { brokers: door.address });
    },
    async recover() {
      await door.open(brokers);
      await until(() => worker?.consumed()?.joined ?? false, worker?.stats);
    },
  };
}

const reading = (component: ReadingComponent): Starts => ({
  [component === "consumer" ? "is absent: consumer" : "is absent (later): history worker"]: () =>
    startReader(component, away),
  [`refuses (connections break): ${component}`]: () => startReader(component, broken),
  [`hangs: ${component}`]: () => startReader(component, silent),
  [`answers wrongly (something else listens there): ${component}`]: () => startReader(component, occupied),
  [`answers wrongly (its answers are garbled): ${component}`]: () => startReader(component, garbling),
});

const publishing = (
  component: "service publisher" | "durable publisher",
  start: (fail: (door: Door) => Promise<void> | void, lostAs?: DropReason) => Promise<Subject>,
): Starts => ({
  [`is absent: ${component}`]: () => start(away),
  [`refuses (connections break): ${component}`]: () => start(broken),
  [`hangs: ${component}`]: () => start(silent),
  [`answers wrongly (something else listens there): ${component}`]: () => start(occupied),
  [`answers wrongly (its answers are garbled): ${component}`]: () => start(garblingReports, "error"),
});

runCells("npm test", "Kafka", {
  ...publishing("service publisher", startPublisher),
  "refuses for good: service publisher": () => startPublisher(refusing, "unauthorized"),
  ...publishing("durable publisher", startStoring),
  "refuses for good: durable publisher": () => startStoring(refusing),
  ...reading("consumer"),
  "is absent (at the start): history worker": startEarly,
  ...reading("history worker"),
});
