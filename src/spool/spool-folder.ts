import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { syncFolder } from "./level-folder.js";
import { examineLevel, type LevelHealth } from "./level-rescue.js";
import { isLevelLocked, type LevelOptions, type OpenedStore, openLevelStore } from "./level-store.js";
import { checksumSeal, encryptingSeal } from "./seal.js";
import { asidePrefix, endOf, finishedPrefix, runPrefix, startedPrefix } from "./spool-keys.js";
import type { SpoolSettings } from "./spool-options.js";
import type { SpoolStore } from "./spool-store.js";

// What lies in the directory that processes share:
//
// | name           | what it is                                                                   |
// | -------------- | ---------------------------------------------------------------------------- |
// | `UUID`         | the spool of a process, which LevelDB's lock keeps from others while it lives |
// | `UUID.aside`   | what Kafka has refused for good, after all else was delivered                |
// | `UUID.damaged` | a spool that could not be read, as it was found                              |
// | `UUID.saving`  | what is being saved of one that is damaged, or was left half open            |
// | `UUID.done`    | nothing of worth: it is about to be removed                                  |

const spoolName = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Nothing takes longer to save: a draft that is older is of a process that has died. */
const longestSavingMs = 24 * 60 * 60 * 1_000;

/** The key of the proof that a spool was sealed by the key that opens it. */
const proofKey = "proof";
const proof: Uint8Array = Buffer.from("connect-session-activity");

/** A name in the directory that no process has. */
export function newFolder({ directory }: SpoolSettings): string {
  return join(directory, randomUUID());
}

/** Makes the folder, and the directory around it. */
export async function makeFolder(folder: string, { durability }: SpoolSettings): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (durability !== "power") return;
  // A folder whose name the disk does not have is lost with all that is in it.
  const top = dirname(resolve(first ?? folder));
  for (let made = resolve(folder); made !== top; made = dirname(made)) await syncFolder(dirname(made));
}

/** The folders of all processes, dead or alive. Removes what others have left. Rejects if the directory cannot be read. */
export async function findFolders(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names) if (await isLeftOver(join(directory, name))) await remove(join(directory, name));
  return names.filter((name) => spoolName.test(name)).map((name) => join(directory, name));
}

async function isLeftOver(folder: string): Promise<boolean> {
  if (folder.endsWith(".done")) return true;
  if (!folder.endsWith(".saving")) return false;
  const { mtimeMs } = await stat(folder);
  return Date.now() - mtimeMs > longestSavingMs;
}

/** What came of opening a spool. `foreign`: it was sealed by another key. */
export type OpenedSpool = OpenedStore | { readonly kind: "foreign" };

/**
 * Opens the spool of a process that has died, if LevelDB will find all of it: so it is examined first, since LevelDB passes over
 * what is damaged, and removes it. Never rejects.
 */
export async function openDeadSpool(
  folder: string,
  settings: SpoolSettings,
): Promise<OpenedSpool | { readonly kind: "unfinished" }> {
  try {
    const health = await examineDead(folder);
    return health === "sound" ? await openSpool(folder, settings) : { kind: health };
  } catch (error) {
    return { kind: "failed", error };
  }
}

async function examineDead(folder: string): Promise<LevelHealth | "locked"> {
  if (await isLevelLocked(folder)) return "locked";
  const health = await examineLevel(folder);
  if (health === "sound") return health;
  // Another one may have adopted it meanwhile: then its files changed while they were read.
  if (await isLevelLocked(folder)) return "locked";
  return await examineLevel(folder);
}

/** Opens the spool in a folder. Never rejects. */
export async function openSpool(folder: string, settings: SpoolSettings): Promise<OpenedSpool> {
  const opened = await openLevelStore(folder, levelOptions(settings));
  if (opened.kind !== "opened") return opened;
  try {
    if (await isForeign(opened.store)) {
      await opened.store.close();
      return { kind: "foreign" };
    }
    await opened.store.write([{ type: "put", key: proofKey, value: proof }]);
    return opened;
  } catch (error) {
    await opened.store.close().catch(() => {});
    return { kind: "failed", error };
  }
}

/** The proof that does not open alone may be damaged. Then something else opens. */
async function isForeign(store: SpoolStore): Promise<boolean> {
  const entries = await store.read({ after: "", before: "\uFFFF", limit: 100 });
  return entries.length > 0 && entries.every(({ value }) => value === undefined);
}

/** Whether there are events in a spool that are not delivered. */
export async function hasEvents(store: SpoolStore): Promise<boolean> {
  return (await holds(store, finishedPrefix)) || (await holds(store, startedPrefix));
}

/** Ends a spool if nothing is left to deliver, and leaves it to others otherwise. It closes the store. */
export async function endOrLeave(folder: string, store: SpoolStore, settings: SpoolSettings): Promise<void> {
  const isLeft = (await hasEvents(store)) || (await holds(store, runPrefix));
  await (isLeft ? store.close() : endSpool(folder, store, settings));
}

/** Removes the folder, but for what was set aside. */
async function endSpool(folder: string, store: SpoolStore, settings: SpoolSettings): Promise<void> {
  const hasAside = await holds(store, asidePrefix);
  // Renamed while the lock is held: nobody adopts it between its end and its removal.
  const end = `${folder}.${hasAside ? "aside" : "done"}`;
  await rename(folder, end);
  await store.close();
  if (hasAside) return;
  // Half a spool under its old name would tell again of calls that have been told of.
  await keepNames(settings);
  await remove(end);
}

/** Has the disk keep the names in the directory, if the loss of power matters. */
export async function keepNames({ directory, durability }: SpoolSettings): Promise<void> {
  if (durability === "power") await syncFolder(directory);
}

/** How the stores of these spools are opened. */
export function levelOptions({ durability, encryptionKey }: SpoolSettings): LevelOptions {
  const seal = encryptionKey === undefined ? checksumSeal : encryptingSeal(encryptionKey);
  return { seal, sync: durability === "power" };
}

async function holds(store: SpoolStore, prefix: string): Promise<boolean> {
  const found = await store.read({ after: prefix, before: endOf(prefix), limit: 1 });
  return found.length > 0;
}

/** Removes a folder. Another process may be removing the same. */
export async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => {});
}
