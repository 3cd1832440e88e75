import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createEventRecord, type EventRecord } from "../../src/publishing/event-record.js";
import type { Publisher, Settled } from "../../src/publishing/publisher.js";
import { createDurablePublisher } from "../../src/spool/index.js";
import type { Random } from "../support/random.js";
import { until } from "../support/until.js";
import { recover, twinsOf } from "./recovery.js";

/** What came of all trials. */
export interface DamageCounts {
  trials: number;
  /** Spools that were set aside, and events. */
  damaged: number;
  setAside: number;
  recovered: number;
  /** Events that did not come, and trials in which some did not, and nobody was told. */
  missing: number;
  unreported: number;
  /** Events that nobody had stored, or not so. */
  invented: number;
  twins: number;
  /** Trials in which recovery came to no end. */
  stuck: number;
  /** Trials in which a log lost its end. Nobody can tell that from a process that died in a write. */
  shortened: number;
}

/** A directory with one spool, and what was stored there. */
interface Stored {
  readonly directory: string;
  readonly finished: ReadonlyMap<string, EventRecord>;
  /** Calls that have not ended. */
  readonly started: ReadonlySet<string>;
}

const outage: Publisher = {
  publish: (record, settled) => queueMicrotask(() => settled?.("closed", record)),
  stats: () => ({ offered: 0, delivered: 0, dropped: {}, queued: 0 }),
  close: () => Promise.resolve(outage.stats()),
};

/** Damages a spool in many ways, one after the other, and sees what a process makes of it. */
export async function runDamage(trials: number, random: Random): Promise<DamageCounts> {
  const counts = {
    ...{ trials, damaged: 0, setAside: 0, recovered: 0, missing: 0, unreported: 0 },
    ...{ invented: 0, twins: 0, stuck: 0, shortened: 0 },
  };
  const folder = mkdtempSync(join(tmpdir(), "damage-"));
  try {
    const all = [await store(join(folder, "log"), 0, random), await store(join(folder, "tables"), 2, random)];
    for (let trial = 0; trial < trials; trial += 1)
      await runTrial(random.pick(all), join(folder, "trial"), random, counts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return counts;
}

/** What must not be. */
export function damageFaults({ unreported, invented, twins, stuck, ...others }: DamageCounts): string[] {
  const broken = Object.entries({ unreported, invented, twins, stuck }).filter(([, count]) => count > 0);
  const { trials, damaged, recovered, missing: lost, shortened } = others;
  const missing = Object.entries({ trials, damaged, recovered, missing: lost, shortened }).filter(
    ([, count]) => count === 0,
  );
  return [
    ...broken.map(([name, count]) => `${name}: ${count}`),
    ...missing.map(([name]) => `${name}: 0, so the run proves nothing`),
  ];
}

/** Fills a spool. Each time that it is adopted in vain, LevelDB makes a table of its log. */
async function store(directory: string, adoptions: number, random: Random): Promise<Stored> {
  const publisher = createDurablePublisher({ directory, publisher: outage, log: false, writeTimeoutMs: 4_000 });
  const finished = new Map<string, EventRecord>();
  const started = new Set<string>();
  for (let number = 1; number <= 400; number += 1) {
    const event = create(SessionActivityEventSchema, {
      eventId: `event-${number}`,
      instanceId: "run",
      encodedSessionContext: "x".repeat(random.below(number % 20 === 0 ? 20_000 : 300)),
      startedAt: timestampNow(),
    });
    const record = createEventRecord({ ...event, status: "OK", sequence: BigInt(finished.size + 1) });
    await publisher.begin(createEventRecord(event));
    if (number % 10 === 0) {
      started.add(event.eventId);
    } else {
      finished.set(event.eventId, record);
      publisher.publish(record);
    }
  }
  // The calls that are open stay so.
  await publisher.close();
  for (let adoption = 0; adoption < adoptions; adoption += 1) await adoptInVain(directory);
  return { directory, finished, started };
}

async function adoptInVain(directory: string): Promise<void> {
  let isAdopted = false;
  function publish(record: EventRecord, settled?: Settled): void {
    outage.publish(record, settled);
    isAdopted = true;
  }
  const publisher = createDurablePublisher({ directory, log: false, publisher: { ...outage, publish } });
  await until(() => isAdopted);
  await publisher.close();
}

/** One change, such as a disk makes that fails. Says in which file, and whether a log has lost its end by it. */
function damage(folder: string, random: Random): boolean {
  const name = random.pick(readdirSync(folder).filter((file) => !/^LO(G|CK)/.test(file)));
  const path = join(folder, name);
  const bytes = readFileSync(path);
  if (bytes.length === 0) return false;
  const at = random.below(bytes.length);
  const isLog = name.endsWith(".log");
  switch (random.pick(["cut", "flip", "flip", "overwrite", "remove"] as const)) {
    case "cut":
      truncateSync(path, at);
      return isLog;
    case "flip":
      for (let bit = random.below(8); bit >= 0; bit -= 1) {
        const flipped = random.below(bytes.length);
        bytes[flipped] = bytes[flipped]! ^ (1 << random.below(8));
      }
      writeFileSync(path, bytes);
      return false;
    case "overwrite": {
      const end = Math.min(bytes.length, at + 1 + random.below(4_096));
      bytes.fill(random.pick([0, 255]), at, end);
      writeFileSync(path, bytes);
      return isLog && end === bytes.length;
    }
    case "remove":
      rmSync(path);
      return false;
  }
}

async function runTrial(
  { directory, finished, started }: Stored,
  trial: string,
  random: Random,
  counts: DamageCounts,
): Promise<void> {
  cpSync(directory, trial, { recursive: true });
  const [name = ""] = readdirSync(trial);
  const isShortened = damage(join(trial, name), random);
  const { records, spool, isStuck } = await recover(trial, "process");
  rmSync(trial, { recursive: true });
  const events = records.map((record) => ({
    event: record.decode(),
    content: Buffer.from(record.bytes).toString("base64"),
  }));
  const ids = new Set(events.map(({ event }) => event.eventId));
  const invented = events.filter(({ event, content }) => {
    const stored = finished.get(event.eventId);
    if (event.interrupted) return event.status !== "" || (stored === undefined && !started.has(event.eventId));
    return stored === undefined || Buffer.from(stored.bytes).toString("base64") !== content;
  });
  const missing = finished.size + started.size - ids.size;
  const setAside = spool.setAside.damaged ?? 0;
  counts.damaged += spool.damaged;
  counts.setAside += setAside;
  counts.recovered += ids.size;
  counts.missing += missing;
  counts.invented += invented.length;
  counts.twins += twinsOf(events).length;
  counts.stuck += isStuck ? 1 : 0;
  counts.shortened += isShortened ? 1 : 0;
  if (missing > 0 && spool.damaged + setAside === 0 && !isShortened) counts.unreported += 1;
}
