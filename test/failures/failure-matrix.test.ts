// Each cell of the matrix in docs/failures.md: a component that works, a failure of what it depends on, what is seen of it,
// and the end of the failure.
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import { type HistoryWorker, startHistoryWorker } from "../../src/cli/index.js";
import { type OpenSignalDatabase, openSignalDatabase, type SignalDatabase } from "../../src/history/index.js";
import {
  type ConsumerStats,
  createKafkaPublisher,
  type OAuthToken,
  startEmbeddedKafka,
} from "../../src/kafka/index.js";
import { createEventRecord } from "../../src/publishing/event-record.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../src/signature/index.js";
import { SpoolingPublisher } from "../../src/spool/durable-publisher.js";
import { durableSettings } from "../../src/spool/spool-options.js";
import type { SpoolOperation } from "../../src/spool/spool-store.js";
import { sessionEvents, startWorker, writeSessionEvents } from "../cli/cli-fixtures.js";
import { startConsumer, write, writeEvents } from "../kafka/consumer/consumer-fixtures.js";
import { publishRange } from "../kafka/kafka-fixtures.js";
import { api, type Proxy as Door, type Fault, failProduce, shutProxies, startProxy } from "../kafka/proxy.js";
import { MemoryStore } from "../spool/memory-store.js";
import { CallMaker, TestPublisher } from "../spool/spool-fixtures.js";
import { freePorts } from "../support/free-ports.js";
import { until } from "../support/until.js";
import { type Cell, cells, type Dependency, saidBy } from "./matrix.js";
import { observedLog } from "./observed-log.js";

/** A component that runs, and what fails beneath it. */
interface Subject {
  /** Its counts, and what else it says of itself. */
  stats(): unknown;
  readonly log: ReturnType<typeof observedLog>;
  /** Resolves when it does its work. Undefined if the failure is there from the start. */
  readonly works?: () => Promise<void>;
  fail(): Promise<void> | void;
  /** Ends the failure, and resolves when the component has made up for it. Undefined if it cannot. */
  readonly recover?: () => Promise<void>;
}

type Starts = Readonly<Record<string, () => Promise<Subject>>>;

/** Runs each cell of a dependency. What the component does not say of a failure was not seen. */
function runCells(dependency: Dependency, starts: Starts): void {
  describe(dependency, { timeout: 90_000 }, () => {
    const own = cells.filter((cell) => cell.dependency === dependency);

    it("has a run for each cell, and a cell for each run", () => {
      expect(Object.keys(starts).toSorted()).toEqual(own.map(nameOf).toSorted());
    });

    it.each(own.map((cell) => [nameOf(cell), cell] as const))("%s", async (name, { counted, logged }) => {
      const subject = await starts[name]!();
      await subject.works?.();
      expect(counted.length + logged.length).toBeGreaterThan(0);
      const before = saidBy(subject.stats());
      expect(counted.filter((one) => before.includes(one))).toEqual([]);
      expect(logged.filter((kind) => subject.log.kinds.has(kind))).toEqual([]);
      await subject.fail();
      const isSeen = (): boolean => {
        const said = saidBy(subject.stats());
        return counted.every((one) => said.includes(one)) && logged.every((kind) => subject.log.kinds.has(kind));
      };
      await until(isSeen, () => ({ said: saidBy(subject.stats()), kinds: [...subject.log.kinds] }), 40_000);
      await subject.recover?.();
    });
  });
}

function nameOf({ failure, component }: Cell): string {
  return `${failure}: ${component}`;
}

afterEach(async () => {
  vi.restoreAllMocks();
  await shutProxies();
});

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

runCells("JWKS", {
  "is absent: verifier": () => startVerifier("absent"),
  "resets connections: verifier": () => startVerifier(({ socket }) => void socket.resetAndDestroy()),
  "hangs: verifier": () => startVerifier(() => {}),
  "answers wrongly: verifier": () => startVerifier((_, response) => void response.end("<html>")),
  "refuses for good: verifier": () => startVerifier((_, response) => void response.writeHead(403).end()),
  "is absent for longer than `maxStaleMs`: verifier": () => startVerifier("absent", { maxStaleMs: 3_000 }),
});

/** A door to an embedded broker. */
async function startKafka(): Promise<{ door: Door; brokers: string }> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  const door = await startProxy();
  await door.open(kafka.brokers);
  return { door, brokers: kafka.brokers };
}

async function startPublisher(fail: (door: Door) => Promise<void> | void, isLost = false): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const properties = { "socket.timeout.ms": 1_000, "reconnect.backoff.max.ms": 200, "retry.backoff.max.ms": 200 };
  const publisher = createKafkaPublisher({ brokers: door.address, topic: "session-activities", properties, log });
  onTestFinished(async () => {
    await door.open(brokers);
    await publisher.close();
  });
  publishRange(publisher, 1, 10);
  return {
    log,
    stats: () => publisher.stats(),
    works: () =>
      until(
        () => publisher.stats().delivered === 10,
        () => publisher.stats(),
      ),
    async fail() {
      await fail(door);
      publishRange(publisher, 11, 20);
    },
    async recover() {
      door.fault = undefined;
      await door.open(brokers);
      // What was refused is gone: it takes a moment until the client asks again.
      const expected = isLost ? 11 : 20;
      await until(
        () => {
          if (isLost && publisher.stats().queued === 0) publishRange(publisher, 21, 21);
          return publisher.stats().delivered >= expected;
        },
        () => publisher.stats(),
      );
      expect(publisher.stats()).toMatchObject({ dropped: isLost ? { unauthorized: expect.any(Number) } : {} });
    },
  };
}

async function startReader(fail: (door: Door) => Promise<void> | void): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const consumer = startConsumer({
    brokers: door.address,
    topic: "session-activities",
    handle: () => {},
    log,
    properties: { "reconnect.backoff.max.ms": 200, "socket.timeout.ms": 1_500 },
  });
  await writeEvents(brokers, "session-activities", [1, 10]);
  return {
    log,
    stats: () => consumer.stats(),
    works: () =>
      until(
        () => consumer.stats().handled === 10,
        () => consumer.stats(),
      ),
    fail: () => fail(door),
    async recover() {
      door.fault = undefined;
      await door.open(brokers);
      await writeEvents(brokers, "session-activities", [11, 20]);
      await until(
        () => consumer.stats().handled === 20,
        () => consumer.stats(),
      );
    },
  };
}

/** A consumer that has to set a record aside, while that fails. An event after it shows whether the partition goes on. */
async function startSettingAside(fault: Fault, end: Partial<ConsumerStats>): Promise<Subject> {
  const { door, brokers } = await startKafka();
  const log = observedLog();
  const consumer = startConsumer({
    brokers: door.address,
    topic: "session-activities",
    deadLetterTopic: "dead-letters",
    handle: () => {},
    stuckAfterMs: 500,
    log,
    retry: { maxBackoffMs: 200 },
  });
  await writeEvents(brokers, "session-activities", [1, 1], [0]);
  return {
    log,
    stats: () => consumer.stats(),
    works: () =>
      until(
        () => consumer.stats().handled === 1,
        () => consumer.stats(),
      ),
    async fail() {
      door.fault = fault;
      await write(brokers, "session-activities", [{ partition: 0, value: Buffer.from("no event") }]);
      await writeEvents(brokers, "session-activities", [2, 2], [0]);
    },
    async recover() {
      door.fault = undefined;
      await until(
        () => consumer.stats().handled === 2,
        () => consumer.stats(),
      );
      expect(consumer.stats()).toMatchObject({ ...end, problems: [] });
    },
  };
}

const heldUp: Fault = ({ api: key, body }) =>
  key === api.produce && body.includes("dead-letters") ? untilHealed() : undefined;

/** Holds an answer back for a while. */
function untilHealed(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 2_000);
  });
}

const oneAside = { invalid: { undecodable: 1 }, lost: 0 };

runCells("dead-letter topic", {
  "is absent: consumer": () => startSettingAside(failProduce("dead-letters", 3), oneAside),
  "refuses for good: consumer": () => startSettingAside(failProduce("dead-letters", 29), oneAside),
  "hangs: consumer": () => startSettingAside(heldUp, oneAside),
  "takes no record, however small: consumer": () => startSettingAside(failProduce("dead-letters", 10), { lost: 1 }),
});

/** A worker that finds no broker at its start. */
async function startEarly(): Promise<Subject> {
  const { door, brokers } = await startKafka();
  await door.shut();
  schemas += 1;
  const log = observedLog();
  let worker: HistoryWorker | undefined;
  return {
    log,
    stats: () => worker?.stats() ?? {},
    fail() {
      worker = startWorker({
        database: embedded,
        history: { schema: `failures_${schemas}` },
        kafka: { brokers: door.address, groupId: "g", properties: { "reconnect.backoff.max.ms": 200 } },
        log,
      });
    },
    async recover() {
      await door.open(brokers);
      await until(() => worker?.stats().ready ?? false, worker?.stats);
    },
  };
}

runCells("Kafka", {
  "is absent: service publisher": () => startPublisher((door) => door.shut()),
  "hangs: service publisher": () =>
    startPublisher((door) => {
      door.fault = ({ api: key }) => (key === api.produce ? new Promise(() => {}) : undefined);
    }),
  "breaks connections: service publisher": () =>
    startPublisher((door) => {
      door.fault = () => "break";
    }),
  "refuses for good: service publisher": () =>
    startPublisher((door) => {
      door.fault = failProduce("session-activities", 29);
    }, true),
  "is absent: consumer": () => startReader((door) => door.shut()),
  "hangs: consumer": () =>
    startReader((door) => {
      door.fault = () => new Promise(() => {});
    }),
  "is absent at the start: history worker": startEarly,
});

let embedded: OpenSignalDatabase;
let schemas = 0;
beforeAll(async () => {
  embedded = openSignalDatabase({ env: false });
  await embedded.query("select 1");
}, 60_000);
afterAll(() => embedded.close());

/** A worker whose database fails at that function while it should. */
async function startRecorder(fail: (batch: string) => Promise<never> | undefined, setAside = 0): Promise<Subject> {
  const kafka = await startEmbeddedKafka();
  onTestFinished(() => kafka.close());
  schemas += 1;
  const log = observedLog();
  let isFailing = false;
  const database: SignalDatabase = {
    query: (text, values) => (isFailing ? fail(String(values?.[0])) : undefined) ?? embedded.query(text, values),
  };
  const worker = startWorker({
    database,
    history: { schema: `failures_${schemas}` },
    kafka: { brokers: kafka.brokers, groupId: "g" },
    stuckAfterMs: 300,
    log,
  });
  const events = sessionEvents(80);
  await writeSessionEvents(kafka.brokers, "session-activities", events.slice(0, 40));
  return {
    log,
    stats: worker.stats,
    works: () => until(() => worker.stats().history.recorded === 40 && worker.stats().ready, worker.stats),
    async fail() {
      isFailing = true;
      await writeSessionEvents(kafka.brokers, "session-activities", events.slice(40));
    },
    async recover() {
      isFailing = false;
      await until(() => worker.stats().history.recorded === 80 - setAside && worker.stats().ready, worker.stats);
    },
  };
}

const failing = (code: string, message: string) => (): Promise<never> =>
  Promise.reject(Object.assign(new Error(message), { code }));

/** Something that listens where PostgreSQL should, and does that with a connection. */
async function startImpostor(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `postgresql://recorder@127.0.0.1:${typeof address === "object" ? address?.port : ""}/history`;
}

/** A worker whose database is at an address from the start. */
async function startAt(url: string, isEnd = false): Promise<Subject> {
  const log = observedLog();
  const worker = startHistoryWorker({
    database: openSignalDatabase({ url, env: false }),
    kafka: { brokers: "127.0.0.1:1" },
    maxBackoffMs: 100,
    stuckAfterMs: 300,
    env: false,
    log,
  });
  onTestFinished(() => worker.close());
  let hasBegun = false;
  return {
    log,
    stats: () => (hasBegun ? worker.stats() : {}),
    fail() {
      hasBegun = true;
    },
    async recover() {
      if (isEnd) await expect(worker.closed).rejects.toThrow(/^the database refuses: /);
      else expect(worker.stats()).toMatchObject({ live: true, ready: false });
    },
  };
}

/** PostgreSQL's answer to a login that it refuses. */
function refusal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.from("E....");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

runCells("PostgreSQL", {
  "is absent: history worker": () => startRecorder(failing("ECONNREFUSED", "connect ECONNREFUSED")),
  "resets connections: history worker": async () => startAt(await startImpostor((socket) => socket.resetAndDestroy())),
  "hangs: history worker": () => startRecorder((batch) => (batch.startsWith("[") ? hanging() : undefined)),
  "answers wrongly: history worker": async () =>
    startAt(await startImpostor((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))),
  "refuses for good, at the start: history worker": async () =>
    startAt(
      await startImpostor((socket) =>
        socket.on("data", () => socket.end(refusal("28P01", "password authentication failed"))),
      ),
      true,
    ),
  "refuses for good, later: history worker": () => startRecorder(failing("28P01", "password authentication failed")),
  "refuses one event: history worker": () =>
    startRecorder(
      (batch) => (batch.includes('"event_id":"event-000050","session_id"') ? failing("22P02", "no")() : undefined),
      1,
    ),
});

/** Settles when the test is over, as the timeout of a connection does in the end. */
function hanging(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(Object.assign(new Error("Query read timeout"), {})), 2_000);
  });
}

async function startWithTokens(wrong: () => Promise<OAuthToken>): Promise<Subject> {
  const { brokers } = await startKafka();
  const log = observedLog();
  // The embedded broker knows no SASL: what it would say to a token is not part of this.
  const publisher = createKafkaPublisher({
    brokers,
    oauthToken: wrong,
    properties: { "security.protocol": "sasl_plaintext" },
    // Nothing can be delivered, so there is nothing to wait for.
    closeTimeoutMs: 0,
    log,
  });
  onTestFinished(async () => {
    await publisher.close();
  });
  return {
    log,
    stats: () => publisher.stats(),
    fail: () => publishRange(publisher, 1, 5),
  };
}

runCells("token provider", {
  "fails: service publisher": () => startWithTokens(() => Promise.reject(new Error("secret"))),
  "hangs: service publisher": () => {
    const wait = globalThis.setTimeout;
    vi.spyOn(globalThis, "setTimeout").mockImplementation((work, ms) => wait(work, ms === 30_000 ? 100 : ms));
    return startWithTokens(() => new Promise(() => {}));
  },
  "answers wrongly: service publisher": () =>
    startWithTokens(() => Promise.resolve({ value: "", lifetimeMs: 1, principal: "p" })),
});

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

runCells("disk", {
  "fails: durable publisher": () => startSpool("refuses"),
  "hangs: durable publisher": () => startSpool("hangs"),
  "takes no more than `maxBytes`: durable publisher": () => startSpool("full"),
  "has a file where the embedded database's folder should be: history worker": () => {
    const folder = mkdtempSync(join(tmpdir(), "failures-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    writeFileSync(join(folder, "file"), "");
    return startAt(join(folder, "file"), true);
  },
});
