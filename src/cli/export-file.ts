import { type FileHandle, open, readFile, rename, rm, stat } from "node:fs/promises";
import { errorCode } from "../base/errors.js";
import { isOptions } from "../base/options.js";

/** How far an export is. It stands beside the file until the export is done. */
export interface ExportState {
  /** What was asked for: another order must not go on with this file. */
  readonly order: string;
  /** The key of the masks, so that the same value has the same mask in the whole file. */
  readonly maskKey: string;
  /** The range of time in milliseconds since 1970, as the first run understood it. */
  readonly since?: number | undefined;
  readonly until: number;
  /** What is read, fixed when the export began: by partition, the next offset and the end. */
  readonly ranges: readonly ExportRange[];
  /** How long the file is so far. What stands behind that was not noted, and is written again. */
  readonly bytes: number;
  /** How many lines it has so far. */
  readonly lines: number;
}

/** What is still to be read of a partition. */
export interface ExportRange {
  readonly partition: number;
  readonly next: number;
  readonly end: number;
}

/** A file that an export writes, and goes on with after it was cut off. */
export interface ExportFile {
  /** What was noted last. Undefined for a new file. */
  readonly state: ExportState | undefined;
  write(text: string): Promise<void>;
  /** Notes how far it is, once the file has it on the disk. */
  note(state: Omit<ExportState, "bytes">): Promise<void>;
  /** Removes the note: the file is complete. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/** Where the note on a file stands. */
export function statePathOf(path: string): string {
  return `${path}.state`;
}

/** Only the owner may read a file with what sessions did. */
const ownerOnly = 0o600;

/** Opens a file for an export, new or where it was. Rejects if there is a file that is complete, or of another order. */
export async function openExportFile(path: string, order: string): Promise<ExportFile> {
  const state = await readState(path);
  if (state === undefined && (await isThere(path))) {
    throw new Error(`${path} is there already, and complete: name another file with --output, or remove it`);
  }
  if (state !== undefined && state.order !== order) {
    throw new Error(`${path} was begun with other options: give the same ones, or remove it and ${statePathOf(path)}`);
  }
  const file = await open(path, state === undefined ? "wx" : "r+", ownerOnly);
  let bytes = state?.bytes ?? 0;
  try {
    await truncate(file, bytes, path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    state,
    async write(text) {
      const buffer = Buffer.from(text);
      await file.write(buffer, 0, buffer.length, bytes);
      bytes += buffer.length;
    },
    async note(next) {
      await file.datasync();
      await writeState(path, { ...next, bytes });
    },
    async finish() {
      await file.datasync();
      await rm(statePathOf(path), { force: true });
    },
    close: () => file.close(),
  };
}

async function truncate(file: FileHandle, bytes: number, path: string): Promise<void> {
  const { size } = await file.stat();
  if (size < bytes)
    throw new Error(`${path} is shorter than it was: remove it and ${statePathOf(path)}, and begin again`);
  await file.truncate(bytes);
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    },
  );
}

async function readState(path: string): Promise<ExportState | undefined> {
  let json: string;
  try {
    json = await readFile(statePathOf(path), "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
  const state = parseState(json);
  if (state === undefined) throw new Error(`${statePathOf(path)} is damaged: remove it and ${path}, and begin again`);
  return state;
}

function parseState(json: string): ExportState | undefined {
  try {
    const state: unknown = JSON.parse(json);
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

function isState(value: unknown): value is ExportState {
  if (!isOptions(value)) return false;
  const { order, maskKey, ranges, bytes, lines, since, until } = value;
  return (
    typeof order === "string" &&
    typeof maskKey === "string" &&
    [bytes, lines, until, since ?? 0].every(Number.isSafeInteger) &&
    Array.isArray(ranges) &&
    ranges.every(
      (range: unknown) =>
        isOptions(range) && [range["partition"], range["next"], range["end"]].every(Number.isSafeInteger),
    )
  );
}

/** As a whole or not at all: a crash in between leaves the last note. */
async function writeState(path: string, state: ExportState): Promise<void> {
  const next = `${statePathOf(path)}.next`;
  const file = await open(next, "w", ownerOnly);
  try {
    await file.writeFile(JSON.stringify(state));
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(next, statePathOf(path));
}
