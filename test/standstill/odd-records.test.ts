import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSignalDatabase, type SignalDatabase } from "../../src/history/index.js";
import { decodeSessionContext, SessionActivityEventSchema } from "../../src/index.js";
import { startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { createOddRecords, numberIn, type OddRecord } from "./odd-records.js";
import { runStandstill } from "./run-standstill.js";
import { faultsOf } from "./standstill-faults.js";

/** `npm run standstill` sends a million, to PostgreSQL. One of them in 2,000 is larger than a dead letter. */
const records = 2_200;

async function run(
  count: number,
  around: (database: SignalDatabase) => SignalDatabase = (database) => database,
  patienceMs = 20_000,
) {
  const kafka = await startEmbeddedKafka({ topics: ["session-activities", "dead-letters"] });
  const database = openSignalDatabase({ env: false });
  onTestFinished(async () => {
    await database.close();
    await kafka.close();
  });
  const { brokers } = kafka;
  return runStandstill({ brokers, database: around(database), records: count, seed: 15, patienceMs });
}

describe("odd records, through Kafka and a history worker", { timeout: 120_000 }, () => {
  it("stop nothing: each good event is recorded, and each poison is counted", async () => {
    const report = await run(records);
    expect(faultsOf(report)).toEqual([]);
    expect(report.sent.recorded).toBeGreaterThan(records * 0.9);
    expect(report.sent.poison).toBeGreaterThan(records * 0.02);
  });
});

describe("the proof itself", { timeout: 120_000 }, () => {
  /** A database that answers each recorded batch with that error, as long as the batch holds a certain event. */
  const refusing =
    (eventId: string, code: string) =>
    (database: SignalDatabase): SignalDatabase => ({
      query(text, values) {
        const [batch] = values ?? [];
        if (typeof batch === "string" && batch.includes(`"event_id":"${eventId}`))
          return Promise.reject(Object.assign(new Error("refused"), { code }));
        return database.query(text, values);
      },
    });

  it("sees a standstill, and where it is", async () => {
    const report = await run(300, refusing("#150#", "53100"), 3_000);
    expect(report.standsAt.join()).toMatch(/53100/);
  });

  it("sees an event that was lost", async () => {
    const drop = (database: SignalDatabase): SignalDatabase => ({
      query: (text, values) =>
        database.query(text.replace("event_id > $1", "event_id > $1 and event_id <> '#150#'"), values),
    });
    expect(faultsOf(await run(300, drop)).join()).toMatch(/good events are not recorded/);
  });
});

describe("the odd records", () => {
  const generated = Array.from({ length: 12_000 }, (_, number) => createOddRecords(7)(number));
  const byFate = (fate: OddRecord["fate"]) => generated.filter((record) => record.fate === fate);

  it("are the same for the same seed, and others for another", () => {
    expect(createOddRecords(7)(11)).toEqual(generated[11]);
    expect(createOddRecords(8)(11)).not.toEqual(generated[11]);
  });

  it("are poison in less than 5 % of cases, and hold each kind", () => {
    expect(byFate("poison").length).toBeLessThan(generated.length * 0.05);
    expect(new Set(generated.flatMap(({ kind }) => kind.split(" + "))).size).toBe(33);
  });

  it("hold an event with an id and a session if they are to be recorded, and say so by no code of ours", () => {
    for (const { content, number } of [...byFate("recorded"), ...byFate("silent")]) {
      const event =
        content.to === "history"
          ? content.event
          : fromBinary(SessionActivityEventSchema, content.value ?? Buffer.alloc(0));
      expect(numberIn(event.eventId)).toBe(number);
      expect(decodeSessionContext(event.encodedSessionContext).sessionId).not.toBe("");
    }
  });
});
