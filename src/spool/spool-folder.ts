import { randomUUID } from "node:crypto";
import { cp, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type OpenedStore, openLevelStore, repairLevel } from "./level-store.js";
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
// | `UUID.saving`  | what is being saved of a damaged one                                         |
// | `UUID.done`    | nothing of worth: it is about to be removed                                  |

const spoolName = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The key of the proof that a spool was sealed by the key that opens it. */
const proofKey = "proof";
const proof: Uint8Array = Buffer.from("connect-session-activity");

/** A name in the directory that no process has. */
export function newFolder({ directory }: SpoolSettings): string {
  return join(directory, randomUUID());
}

/** Makes the folder, and the directory around it. */
export async function makeFolder(folder: string, { directory, durability }: SpoolSettings): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A folder whose name the disk does not have is lost with all that is in it.
  if (durability === "power") await syncFolder(directory);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The folders of all processes, dead or alive. Removes what others have left. Rejects if the directory cannot be read. */
export async function findFolders(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  for (const name of names) if (name.endsWith(".done")) await remove(join(directory, name));
  return names.filter((name) => spoolName.test(name)).map((name) => join(directory, name));
}

/** What came of opening a spool. `foreign`: it was sealed by another key. */
export type OpenedSpool = OpenedStore | { readonly kind: "foreign" };

/** Opens the spool in a folder. Never rejects. */
export async function openSpool(folder: string, settings: SpoolSettings): Promise<OpenedSpool> {
  const { durability, encryptionKey } = settings;
  const seal = encryptionKey === undefined ? checksumSeal : encryptingSeal(encryptionKey);
  const opened = await openLevelStore(folder, { seal, sync: durability === "power" });
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

/** Moves a damaged spool away, and makes another of what can be saved of it. */
export async function setDamagedAside(folder: string, { directory }: SpoolSettings): Promise<void> {
  const kept = `${folder}.damaged`;
  await rename(folder, kept);
  // Under a name that nobody adopts until it can be opened.
  const saved = join(directory, randomUUID());
  await cp(kept, `${saved}.saving`, { recursive: true });
  await repairLevel(`${saved}.saving`);
  await rename(`${saved}.saving`, saved);
}

/** Whether there are events in a spool that are not delivered. */
export async function hasEvents(store: SpoolStore): Promise<boolean> {
  return (await holds(store, finishedPrefix)) || (await holds(store, startedPrefix));
}

/** Ends a spool if nothing is left to deliver, and leaves it to others otherwise. It closes the store. */
export async function endOrLeave(folder: string, store: SpoolStore): Promise<void> {
  const isLeft = (await hasEvents(store)) || (await holds(store, runPrefix));
  await (isLeft ? store.close() : endSpool(folder, store));
}

/** Removes the folder, but for what was set aside. */
async function endSpool(folder: string, store: SpoolStore): Promise<void> {
  const hasAside = await holds(store, asidePrefix);
  // Renamed while the lock is held: nobody adopts it between its end and its removal.
  const end = `${folder}.${hasAside ? "aside" : "done"}`;
  await rename(folder, end);
  await store.close();
  if (!hasAside) await remove(end);
}

async function holds(store: SpoolStore, prefix: string): Promise<boolean> {
  const found = await store.read({ after: prefix, before: endOf(prefix), limit: 1 });
  return found.length > 0;
}

/** Another process may be removing the same. */
async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true }).catch(() => {});
}
