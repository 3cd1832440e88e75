// The cells of docs/failures.md that need a disk of their own, where this process may mount one.
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { HistoryWorker } from "../../src/cli/index.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { startWorker } from "../cli/cli-fixtures.js";
import { observedLog } from "../failures/observed-log.js";
import { runCells, type Subject } from "../failures/run-cells.js";
import { until } from "../support/until.js";
import { canMount, mountSmallDisk, type SmallDisk } from "./small-disk.js";

/** A worker whose embedded database is in a folder of a disk that is no good when it starts. */
async function startOn(
  megabytes: number,
  spoil: (folder: string, disk: SmallDisk) => Promise<void> | void,
  /** Answers with the folder to go on in. */
  mend: (folder: string, disk: SmallDisk) => string,
): Promise<Subject> {
  const disk = mountSmallDisk(megabytes)!;
  onTestFinished(() => disk.remove());
  const folder = join(disk.folder, "history");
  const log = observedLog();
  const start = (url: string): HistoryWorker =>
    startWorker({ database: openSignalDatabase({ url, env: false }), kafka: { brokers: "127.0.0.1:1" }, log });
  await spoil(folder, disk);
  let worker: HistoryWorker | undefined;
  return {
    log,
    stats: () => worker?.stats() ?? {},
    fail() {
      worker = start(folder);
    },
    async recover() {
      await expect(worker?.closed).rejects.toThrow(/^the database refuses: /);
      const next = start(mend(folder, disk));
      await until(() => next.stats().consumer !== undefined, next.stats, 60_000);
    },
  };
}

/** Makes a history in the folder, and spoils a file without which no server starts. */
async function damage(folder: string): Promise<void> {
  const database = openSignalDatabase({ url: folder, env: false });
  await createSignalHistory({ database, env: false, log: false }).migrate();
  await database.close();
  cpSync(folder, copyOf(folder), { recursive: true });
  writeFileSync(join(folder, "global", "pg_control"), Buffer.alloc(8_192, 0xff));
}

const copyOf = (folder: string): string => `${folder}-copy`;

if (canMount()) {
  runCells("npm run test:postgres", "disk", {
    "refuses (it is full at the start): history worker": () =>
      startOn(
        8,
        () => {},
        (folder, disk) => {
          disk.grow(300);
          // What was begun there is half a database.
          rmSync(folder, { recursive: true });
          return folder;
        },
      ),
    "answers wrongly (the folder is damaged): history worker": () => startOn(300, damage, copyOf),
    "refuses for good (it is read only): history worker": () =>
      startOn(
        300,
        (_, disk) => disk.setReadOnly(true),
        (folder, disk) => {
          disk.setReadOnly(false);
          return folder;
        },
      ),
  });
}
