import { access, rename } from "node:fs/promises";
import { createEventRecord } from "../publishing/event-record.js";
import { noteLast, numberOf } from "./interrupted.js";
import { type Meaning, readSurvivors, type SavedEntry } from "./level-rescue.js";
import { openLevelStore } from "./level-store.js";
import type { Seal } from "./seal.js";
import { keepNames, levelOptions, makeFolder, newFolder, remove } from "./spool-folder.js";
import { finishedNumberOf, finishedPrefix, runOfLast, startedKey } from "./spool-keys.js";
import type { SpoolSettings } from "./spool-options.js";
import type { SpoolOperation, SpoolStore } from "./spool-store.js";

/** So many entries are copied in one write. */
const copiedAtOnce = 500;

/**
 * Makes another spool of what is left of one that LevelDB would not find all of, and resolves to its folder. A damaged one is
 * kept beside it, as it was found. Rejects if the disk cannot be read or written: then nothing has changed.
 */
export async function rescueSpool(
  folder: string,
  health: "unfinished" | "damaged",
  settings: SpoolSettings,
): Promise<string> {
  const saved = newFolder(settings);
  // Under a name that nobody adopts until all is there.
  const draft = `${saved}.saving`;
  try {
    await copySurvivors(folder, draft, settings);
    // Others may have found it, too.
    await access(folder);
    await rename(draft, saved);
  } catch (error) {
    await remove(draft);
    throw error;
  }
  // Who dies before the next line leaves both, and each has the same events, byte for byte.
  await keepNames(settings);
  const end = `${folder}.${health === "damaged" ? "damaged" : "done"}`;
  await rename(folder, end);
  if (health === "unfinished") await remove(end);
  return saved;
}

async function copySurvivors(folder: string, draft: string, settings: SpoolSettings): Promise<void> {
  await makeFolder(draft, settings);
  const options = levelOptions(settings);
  const opened = await openLevelStore(draft, options);
  if (opened.kind !== "opened") throw opened.kind === "failed" ? opened.error : new Error(opened.kind);
  try {
    await copyEntries(readSurvivors(folder, meaningBy(options.seal)), opened.store, options.seal);
  } finally {
    await opened.store.close();
  }
}

async function copyEntries(found: AsyncIterable<SavedEntry[]>, store: SpoolStore, seal: Seal): Promise<void> {
  const lastNumbers = new Map<string, bigint>();
  for await (const entries of found) {
    for (const entry of entries) {
      const [run, number] = numberIn(entry, seal) ?? [];
      if (run !== undefined && number !== undefined && number > (lastNumbers.get(run) ?? 0n))
        lastNumbers.set(run, number);
    }
    for (let at = 0; at < entries.length; at += copiedAtOnce) {
      const some = entries.slice(at, at + copiedAtOnce);
      await store.write(some.map((entry): SpoolOperation => ({ type: "keep", ...entry })));
    }
  }
  // The note of a run may be older than its events, and nobody may give the number of one of them again.
  const notes = Array.from(lastNumbers, ([run, number]) => noteLast(run, number));
  if (notes.length > 0) await store.write(notes);
}

/** The number that an entry shows its run to have given. */
function numberIn({ key, sealed }: SavedEntry, seal: Seal): readonly [string, bigint] | undefined {
  if (key.startsWith(finishedPrefix)) return finishedNumberOf(key);
  const run = runOfLast(key);
  const value = run === undefined ? undefined : seal.open(key, sealed);
  return run === undefined || value === undefined ? undefined : [run, numberOf(value)];
}

/** The end of a call is stored by the write that removes its start. */
function meaningBy(seal: Seal): Meaning {
  return {
    isGenuine: (key, sealed) => seal.open(key, sealed) !== undefined,
    replacedBy(key, sealed) {
      const value = key.startsWith(finishedPrefix) ? seal.open(key, sealed) : undefined;
      if (value === undefined) return undefined;
      try {
        return startedKey(createEventRecord(value));
      } catch {
        return undefined;
      }
    },
  };
}
