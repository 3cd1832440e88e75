import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import type { HistoryWorker } from "../../src/cli/index.js";
import { openSignalDatabase } from "../../src/history/index.js";
import { SpoolingPublisher } from "../../src/spool/durable-publisher.js";
import { durableSettings } from "../../src/spool/spool-options.js";
import type { SpoolOperation } from "../../src/spool/spool-store.js";
import { startWorker } from "../cli/cli-fixtures.js";
import { MemoryStore } from "../spool/memory-store.js";
import {
  CallMaker,
  changeOneByte,
  makeCall,
  openSpool,
  TestPublisher,
  temporaryFolder,
} from "../spool/spool-fixtures.js";
import { until } from "../support/until.js";
import { observedLog } from "./observed-log.js";
import { runCells, type Subject } from "./run-cells.js";

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
  const call = async (): Promise<void> => expect(await makeCall(publisher, calls)).toBeUndefined();
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
  const calls = new CallMaker();
  writeFileSync(directory, "in the way");
  const { publisher, kafka } = openSpool({ directory, log });
  const call = async (): Promise<void> => expect(await makeCall(publisher, calls)).toBeUndefined();
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
  const dead = openSpool({ directory });
  dead.kafka.outcome = () => "closed";
  const calls = new CallMaker();
  for (let time = 0; time < 3; time += 1) await makeCall(dead.publisher, calls);
  await dead.publisher.close();
  let next: ReturnType<typeof openSpool> | undefined;
  return {
    log,
    stats: () => ({ spool: next?.publisher.spool() }),
    async fail() {
      await changeOneByte(directory);
      next = openSpool({ directory, log });
    },
    recover: () => until(() => next?.kafka.events.length === 2),
  };
}

runCells("npm test", "disk", {
  "is absent (a file is where the folder should be): durable publisher": startWithoutFolder,
  "refuses: durable publisher": () => startSpool("refuses"),
  "hangs: durable publisher": () => startSpool("hangs"),
  "answers wrongly (bytes have changed): durable publisher": startDamaged,
  "refuses for good (`maxBytes` are taken): durable publisher": () => startSpool("full"),
  "is absent (a file is where the folder should be): history worker": startInTheWay,
});
