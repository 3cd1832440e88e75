import { chmod, open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** LevelDB begins a new file when one has a few MiB: looking this often, none is missed for long. */
const bytesBetweenLooks = 256 * 1024;

/** The folder of a LevelDB, which makes new files when it likes. */
export class LevelFolder {
  readonly #folder: string;
  readonly #isDurable: boolean;
  #known: ReadonlySet<string> = new Set();
  #bytes = bytesBetweenLooks;

  /** `isDurable`: each new log is to survive the loss of power. */
  constructor(folder: string, isDurable: boolean) {
    this.#folder = folder;
    this.#isDurable = isDurable;
  }

  /**
   * To be called after each write, with its bytes. LevelDB asks the disk to keep what it writes to a log, but not that there is
   * a log of this name: without that, the loss of power may take all of it.
   */
  async written(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#isDurable || this.#bytes >= bytesBetweenLooks) await this.look();
  }

  /** Gives new files the rights 0600, and has the disk keep their names. */
  async look(): Promise<void> {
    this.#bytes = 0;
    const names = await readdir(this.#folder);
    const made = names.filter((name) => !this.#known.has(name));
    // LevelDB may have removed it, or the file system may have no rights. The folder's own rights protect all of it.
    for (const name of made) await chmod(join(this.#folder, name), 0o600).catch(() => {});
    if (this.#isDurable && made.some((name) => name.endsWith(".log"))) await syncFolder(this.#folder);
    this.#known = new Set(names);
  }
}

/** Has the disk keep the names in a folder. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
