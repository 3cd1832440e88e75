// Sends a flood of odd records through Kafka, a history worker and PostgreSQL, and finds out whether any of them stops
// anything: `npm run standstill -- --records 1000000 --seed 7`. Ends with an error if something is not as it should be.
//
// The script sets MALLOC_ARENA_MAX=2: glibc keeps freed memory apart for each of a score of threads, and resident memory then
// grows by a fifth in one step, with a heap that does not grow at all.
//
// `--without "a time far off"` leaves out records of such a kind, to look further than a fault that is known.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openSignalDatabase } from "../../src/history/index.js";
import { startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { notDurable, startPostgres } from "../history-postgres/postgres-server.js";
import { runStandstill } from "./run-standstill.js";
import { faultsOf } from "./standstill-faults.js";

const { values } = parseArgs({
  options: {
    records: { type: "string", default: "1000000" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    without: { type: "string", multiple: true, default: [] },
    patience: { type: "string", default: "60000" },
    broker: { type: "boolean", default: false },
  },
});
/** A broker in a process of its own, since what it keeps would count as memory of the worker. */
async function startBroker(): Promise<{ readonly brokers: string; close(): void }> {
  const child = fork(fileURLToPath(import.meta.url), ["--broker"]);
  const [brokers] = await once(child, "message");
  return { brokers: String(brokers), close: () => void child.kill() };
}

async function beBroker(): Promise<void> {
  const { brokers } = await startEmbeddedKafka({ topics: ["session-activities", "dead-letters"] });
  // It ends with whom it is for, however that ends.
  process.once("disconnect", () => process.exit());
  process.send?.(brokers);
}

async function main(): Promise<void> {
  console.log(`seed ${values.seed}`);
  const [kafka, server] = await Promise.all([startBroker(), startPostgres({ settings: notDurable })]);
  const database = openSignalDatabase({ url: await server.createDatabase("standstill"), env: false });
  try {
    const report = await runStandstill({
      brokers: kafka.brokers,
      database,
      records: Number(values.records),
      seed: Number(values.seed),
      patienceMs: Number(values.patience),
      without: values.without,
      onTenth: (tenth) => console.log(JSON.stringify(tenth)),
    });
    const faults = faultsOf(report);
    const { tenths: _, ...rest } = report;
    console.log(JSON.stringify(rest, undefined, 2));
    console.log(faults.length === 0 ? "sound" : `not sound:\n${faults.join("\n")}`);
    process.exitCode = faults.length === 0 ? 0 : 1;
  } finally {
    await database.close();
    kafka.close();
    await server.close();
  }
}

await (values.broker ? beBroker() : main());
