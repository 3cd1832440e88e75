// Kills a service with a spool at random moments, while it is called, and finds out whether an event was lost:
// `npm run crash -- --trials 1000 --seed 7 [--durability power]`. Ends with an error if something is not as it should be.
//
// This process is the oracle: it calls the service, reads the topic, and is never killed. The broker has a process of its own,
// behind a door that is shut now and then.
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createSessionActivityConsumer } from "../../src/kafka/consumer/consumer.js";
import { startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { type Proxy as Door, startProxy } from "../kafka/proxy.js";
import { createRandom } from "../support/random.js";
import { countsOf, faultsOf } from "./crash-faults.js";
import { startLoad } from "./crash-load.js";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "1000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    durability: { type: "string", default: "process" },
    broker: { type: "boolean", default: false },
  },
});
const topic = "session-activities";
/** How long a process may run before it is killed, in milliseconds. */
const longestLifeMs = 400;
/** How soon a process is killed that has just begun to recover. */
const longestRecoveryMs = 60;
/** How long all that is left may take to arrive. */
const patienceMs = 120_000;

/** A broker in a process of its own, which ends with this one. */
async function startBroker(): Promise<{ readonly brokers: string; close(): void }> {
  const child = fork(fileURLToPath(import.meta.url), ["--broker"]);
  const [brokers] = await once(child, "message");
  return { brokers: String(brokers), close: () => void child.kill() };
}

async function beBroker(): Promise<void> {
  const { brokers } = await startEmbeddedKafka({ topics: [topic] });
  process.once("disconnect", () => process.exit());
  process.send?.(brokers);
}

interface Service {
  readonly process: ChildProcess;
  /** Its port, once it listens. Undefined if it ended before. */
  readonly port: Promise<number | undefined>;
  readonly exit: Promise<unknown>;
}

function startService(brokers: string, folder: string): Service {
  const script = fileURLToPath(new URL("crash-service.js", import.meta.url));
  const given = {
    brokers,
    directory: join(folder, "spool"),
    effects: join(folder, "effects"),
    durability: values.durability,
  };
  const args = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  const line = once(createInterface({ input: child.stdout }), "line").then(([text]) => Number(text));
  return { process: child, exit, port: Promise.race([line, exit.then(() => undefined)]) };
}

async function kill({ process: child, exit }: Service): Promise<void> {
  child.kill("SIGKILL");
  await exit;
}

/** Starts the service until nothing is left in its spool. */
async function drain(brokers: string, folder: string): Promise<void> {
  const end = performance.now() + patienceMs;
  const left = (): number => readdirSync(join(folder, "spool")).filter((name) => !name.includes(".")).length;
  while (left() > 0) {
    if (performance.now() > end) throw new Error(`${left()} spools are still there after ${patienceMs} ms`);
    const service = startService(brokers, folder);
    await service.port;
    await sleep(1_000);
    service.process.kill("SIGTERM");
    await service.exit;
  }
}

async function main(): Promise<void> {
  console.log(`seed ${values.seed}, durability ${values.durability}`);
  const random = createRandom(Number(values.seed));
  const folder = mkdtempSync(join(tmpdir(), "crash-"));
  const broker = await startBroker();
  const door = await startProxy();
  await door.open(broker.brokers);
  const events = new Map<string, SessionActivityEvent>();
  let damaged = 0;
  const consumer = createSessionActivityConsumer({
    brokers: broker.brokers,
    groupId: "oracle",
    env: false,
    handle: (event, { partition, offset }) => void events.set(`${partition}@${offset}`, event),
    onInvalid: () => {
      damaged += 1;
    },
  });
  const sent = new Set<string>();
  const answered = new Set<string>();
  let killsWhileRecovering = 0;

  async function trial(index: number): Promise<void> {
    await swing(door, broker.brokers, random.below(10) < 7);
    const service = startService(door.address, folder);
    const port = await service.port;
    if (port === undefined) throw new Error("the service does not start");
    if (random.below(10) < 3) {
      killsWhileRecovering += 1;
      await sleep(random.below(longestRecoveryMs));
      await kill(service);
      return;
    }
    let calls = 0;
    const nextId = (): string => {
      calls += 1;
      const id = `${index}-${calls}`;
      sent.add(id);
      return id;
    };
    const load = startLoad(port, nextId, (id) => void answered.add(id));
    await sleep(random.below(longestLifeMs));
    await kill(service);
    await load.stop();
  }

  try {
    const trials = Number(values.trials);
    for (let index = 1; index <= trials; index += 1) {
      await trial(index);
      if (index % 100 === 0) console.log(`${index} kills, ${sent.size} calls, ${events.size} records`);
    }
    await swing(door, broker.brokers, true);
    await drain(door.address, folder);
    await untilQuiet(() => events.size);
    const carriedOut = new Set(readFileSync(join(folder, "effects"), "utf8").split("\n").filter(Boolean));
    const report = {
      sent,
      carriedOut,
      answered,
      events: [...events.values()],
      damaged,
      kills: trials,
      killsWhileRecovering,
    };
    const counts = countsOf(report);
    const faults = faultsOf(counts);
    const sizes = {
      kills: trials,
      killsWhileRecovering,
      calls: sent.size,
      carriedOut: carriedOut.size,
      answered: answered.size,
    };
    console.log(JSON.stringify({ ...sizes, events: events.size, ...counts }, undefined, 2));
    console.log(faults.length === 0 ? "nothing lost" : `not as it should be:\n${faults.join("\n")}`);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    await consumer.close();
    await door.shut();
    broker.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Kafka is there, or away. */
async function swing(door: Door, broker: string, isOpen: boolean): Promise<void> {
  if (isOpen) await door.open(broker);
  else await door.shut();
}

/** Resolves when a count has not changed for two seconds. */
async function untilQuiet(count: () => number): Promise<void> {
  for (let before = -1; before !== count(); await sleep(2_000)) before = count();
}

await (values.broker ? beBroker() : main());
