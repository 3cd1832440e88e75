// Each cell of the matrix in docs/failures.md: a component that works, a failure of what it depends on, what is seen of it,
// and the end of the failure.
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import type { Server } from "node:net";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { expect, onTestFinished } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import type { HistoryWorker } from "../../src/cli/index.js";
import { openSignalDatabase } from "../../src/history/index.js";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { createEventRecord } from "../../src/publishing/event-record.js";
import type { DropReason } from "../../src/publishing/publisher.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../src/signature/index.js";
import { SpoolingPublisher } from "../../src/spool/durable-publisher.js";
import { createDurablePublisher, type DurablePublisher } from "../../src/spool/index.js";
import { durableSettings } from "../../src/spool/spool-options.js";
import type { SpoolOperation } from "../../src/spool/spool-store.js";
import { startWorker } from "../cli/cli-fixtures.js";
import { writeEvents } from "../kafka/consumer/consumer-fixtures.js";
import { publishRange } from "../kafka/kafka-fixtures.js";
import type { Proxy as Door } from "../kafka/proxy.js";
import { MemoryStore } from "../spool/memory-store.js";
import { CallMaker, TestPublisher, temporaryFolder } from "../spool/spool-fixtures.js";
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

/** A worker whose embedded database has a file where its folder should be. When that is gone, it begins. */
function startInTheWay(): Promise<Subject> {
  const folder = temporaryFolder();
  const path = join(folder, "history");
  writeFileSync(path, "in the way");
  const log = observedLog();
  const start = (): HistoryWorker =>
    startWorker({ database: openSignalDatabase({ url: path, env: false }), kafka: { brokers: "127.0.0.1:1" }, log });
  let worker: HistoryWorker | undefined;
  return Promise.resolve({
    log,
    stats: () => worker?.stats() ?? {},
    fail() {
      worker = start();
    },
    async recover() {
      await expect(worker?.closed).rejects.toThrow(/^the database refuses: /);
      rmSync(path);
      const next = start();
      await until(() => next.stats().consumer !== undefined, next.stats, 60_000);
    },
  });
}

/** A disk that does what a test tells it. */
class TestDisk extends MemoryStore {
  state: "works" | "refuses" | "hangs" = "works";

  override write(operations: readonly SpoolOperation[]): Promise<void> {
    const written = super.write(operations);
    if (this.state !== "hangs") this.step(this.state === "works");
    return written;
  }

  /** It works again, also for what hung. */
  heal(): void {
    this.state = "works";
    while (this.pending > 0) this.step(true);
  }
}

/** A spool on a disk that fails, or one that is full since Kafka takes nothing. */
async function startSpool(failure: "refuses" | "hangs" | "full"): Promise<Subject> {
  const log = observedLog();
  const kafka = new TestPublisher();
  const disk = new TestDisk();
  const settings = durableSettings({ directory: "none", publisher: kafka, writeTimeoutMs: 50, maxBytes: 65_536, log });
  const publisher = new SpoolingPublisher(settings, disk, createTroubleLog(log), () => ({ stop: async () => {} }));
  onTestFinished(async () => {
    disk.heal();
    await publisher.close();
  });
  const calls = new CallMaker();
  async function call(): Promise<void> {
    const event = calls.start();
    expect(await publisher.begin(createEventRecord(event))).toBeUndefined();
    publisher.publish(calls.end(event));
  }
  const untilDelivered = (): Promise<void> =>
    until(() => publisher.stats().queued === 0 && publisher.spool().stored === 0, publisher.stats, 60_000);
  return {
    log,
    stats: () => ({ spool: publisher.spool() }),
    async works() {
      await call();
      await untilDelivered();
    },
    async fail() {
      if (failure !== "full") disk.state = failure;
      else kafka.outcome = () => "queue_full";
      while (Object.keys(publisher.spool().unrecorded).length === 0) await call();
    },
    async recover() {
      disk.heal();
      kafka.outcome = () => "delivered";
      await untilDelivered();
      const { unrecorded } = publisher.spool();
      await call();
      await untilDelivered();
      // That one went through the spool, and none was lost but the one that found neither room nor Kafka.
      expect(publisher.spool().unrecorded).toEqual(unrecorded);
      expect(publisher.stats()).toMatchObject({ queued: 0, dropped: failure === "full" ? { queue_full: 1 } : {} });
    },
  };
}

/** A spool whose folder has a file in its place. */
async function startWithoutFolder(): Promise<Subject> {
  const directory = join(temporaryFolder(), "spool");
  const log = observedLog();
  const kafka = new TestPublisher();
  const calls = new CallMaker();
  writeFileSync(directory, "in the way");
  const publisher = createDurablePublisher({ directory, publisher: kafka, writeTimeoutMs: 4_000, log });
  onTestFinished(async () => void (await publisher.close()));
  async function call(): Promise<void> {
    const event = calls.start();
    expect(await publisher.begin(createEventRecord(event))).toBeUndefined();
    publisher.publish(calls.end(event));
  }
  return {
    log,
    stats: () => ({ spool: publisher.spool() }),
    fail: call,
    async recover() {
      await until(() => kafka.events.length === 1);
      rmSync(directory);
      const isBack = async (): Promise<boolean> => {
        await call();
        return publisher.problem() === undefined;
      };
      await until(isBack, publisher.spool, 60_000);
      const { unrecorded } = publisher.spool();
      await call();
      expect(publisher.spool().unrecorded).toEqual(unrecorded);
    },
  };
}

/** A spool that held three events when its process ended, of which one has other bytes when the next one finds them. */
async function startDamaged(): Promise<Subject> {
  const directory = temporaryFolder();
  const log = observedLog();
  const kafka = new TestPublisher();
  kafka.outcome = () => "closed";
  const open = (): DurablePublisher => {
    const publisher = createDurablePublisher({ directory, publisher: kafka, writeTimeoutMs: 4_000, log });
    onTestFinished(async () => void (await publisher.close()));
    return publisher;
  };
  let publisher = open();
  const calls = new CallMaker();
  for (let time = 0; time < 3; time += 1) {
    const event = calls.start();
    await publisher.begin(createEventRecord(event));
    publisher.publish(calls.end(event));
  }
  await publisher.close();
  return {
    log,
    stats: () => ({ spool: publisher.spool() }),
    async fail() {
      await changeOneByte(directory);
      kafka.outcome = () => "delivered";
      publisher = open();
    },
    recover: () => until(() => kafka.events.length === 2),
  };
}

/** Changes the last byte of the first event of the only spool that is there. */
async function changeOneByte(directory: string): Promise<void> {
  const [name = ""] = readdirSync(directory);
  const level = new ClassicLevel<string, Buffer>(join(directory, name), { valueEncoding: "buffer" });
  const [entry] = await level.iterator({ gt: "finished/", lt: "finished/\uFFFF", limit: 1 }).all();
  const [key = "", value = Buffer.alloc(0)] = entry ?? [];
  value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
  await level.put(key, value);
  await level.close();
}

runCells("npm test", "disk", {
  "is absent (a file is where the folder should be): durable publisher": startWithoutFolder,
  "refuses: durable publisher": () => startSpool("refuses"),
  "hangs: durable publisher": () => startSpool("hangs"),
  "answers wrongly (bytes have changed): durable publisher": startDamaged,
  "refuses for good (`maxBytes` are taken): durable publisher": () => startSpool("full"),
  "is absent (a file is where the folder should be): history worker": startInTheWay,
});
