import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode } from "../base/errors.js";

/** A folder that nobody else can lock until this is released, or this process has ended, however it did. */
export interface FolderLock {
  release(): Promise<void>;
}

const prefix = "session-activity.lock.";
const attempts = 5;
/** Of the first pause. The next ones are longer. */
const pauseMs = 100;
/** What the address of a socket holds. A longer one would be cut, and be another. */
const maxPathBytes = 103;

/**
 * Locks a folder, and makes it if it is missing. Rejects with the code EBUSY if somebody else has it.
 *
 * Whoever wants it listens on a socket in it, and then looks for others: of two, at least the one that looks later finds the
 * other. That somebody listens ends with his process and is seen from other containers on the same machine. A process id in
 * a file would outlive the process, and mean another one there.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  for (let attempt = 1; ; attempt += 1) {
    const lock = await tryToLock(folder);
    if (lock !== undefined) return lock;
    if (attempt === attempts) {
      throw Object.assign(new Error(`the folder ${folder} is open already: one process at a time may have it`), {
        code: "EBUSY",
      });
    }
    // Of those that come at the same moment, each may have found another.
    await delay(Math.random() * pauseMs * attempt);
  }
}

async function tryToLock(folder: string): Promise<FolderLock | undefined> {
  const own = `${prefix}${randomUUID()}`;
  const { at, leave } = enter(folder);
  const server = createServer((socket) => socket.destroy()).unref();
  async function release(): Promise<void> {
    await rm(at(own), { force: true });
    if (server.listening) await new Promise((resolve) => server.close(resolve));
    leave();
  }
  try {
    // It gets its name when somebody listens: so one with a name on which nobody does was left by the dead.
    server.listen({ path: at(`new.${own}`), exclusive: true });
    await once(server, "listening");
    await rename(at(`new.${own}`), at(own));
    const others = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name !== own);
    for (const other of others) {
      if (await isAlive(at(other))) {
        await release();
        return undefined;
      }
      await rm(at(other), { force: true });
    }
  } catch (cause) {
    await release();
    const code = errorCode(cause);
    throw Object.assign(new Error(`the folder ${folder} cannot be locked: ${String(code)}`, { cause }), { code });
  }
  return { release };
}

/** A way to what is in a folder: on Linux, one that is short, however long the folder's path is. */
function enter(folder: string): { at: (name: string) => string; leave: () => void } {
  if (process.platform !== "linux") {
    const longest = join(folder, `new.${prefix}${randomUUID()}`);
    if (Buffer.byteLength(longest) > maxPathBytes) throw new Error(`the path of the folder ${folder} is too long`);
    return { at: (name) => join(folder, name), leave() {} };
  }
  const opened = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  return { at: (name) => `/proc/self/fd/${opened}/${name}`, leave: () => closeSync(opened) };
}

/** Whether somebody listens. If it cannot be said, somebody does. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code !== "ECONNREFUSED" && code !== "ENOENT"));
  });
}
