// Reads LevelDB's files without LevelDB, which is silent about a damaged log, deletes it, and trusts what a table's blocks say.
// The formats: https://github.com/google/leveldb/blob/main/doc/log_format.md, and table_format.md beside it.
import { crc32c } from "./crc32c.js";

/** A change of a store, as a file holds it. */
export interface FoundChange {
  readonly key: string;
  /** Of two changes of a key, the one with the higher number holds. */
  readonly sequence: number;
  /** Undefined if it is a removal. */
  readonly value: Uint8Array | undefined;
  /** Whether the file's checksum covers it. If not, any part of it may be wrong. */
  readonly isSound: boolean;
}

/** What was found in a file. */
export interface FoundRecords<T> {
  readonly found: Iterable<T>;
  /** Whether all is as it was written, as far as it was. The end of a log may be missing: its process died. */
  readonly isSound: boolean;
}

interface LogRecord {
  readonly data: Uint8Array;
  readonly isSound: boolean;
}

const logBlockBytes = 32 * 1024;
const logHeaderBytes = 7;
const [fullRecord, firstPart, middlePart, lastPart] = [1, 2, 3, 4];

/** Reads the records of a log, or of a manifest, which has the same form. */
function readRecords(bytes: Uint8Array): { readonly found: readonly LogRecord[]; readonly isSound: boolean } {
  const found: LogRecord[] = [];
  let isSound = true;
  let parts: LogRecord[] = [];
  let isBehindHole = false;

  function take(type: number, part: LogRecord): void {
    const isStart = type === fullRecord || type === firstPart;
    const isOfRecord = isStart ? parts.length === 0 : parts.length > 0 && (type === middlePart || type === lastPart);
    if (!part.isSound || !isOfRecord || isBehindHole) isSound = false;
    parts = isStart ? [part] : isOfRecord ? [...parts, part] : [];
    if (parts.length === 0 || type === firstPart || type === middlePart) return;
    found.push({
      data: Buffer.concat(parts.map(({ data }) => data)),
      isSound: parts.every((one) => one.isSound),
    });
    parts = [];
  }

  for (let start = 0; start < bytes.length; start += logBlockBytes) {
    const block = bytes.subarray(start, start + logBlockBytes);
    const view = viewOf(block);
    for (let at = 0; at + logHeaderBytes <= block.length; ) {
      const length = view.getUint16(at + 4, true);
      const type = view.getUint8(at + 6);
      if (type === 0 && length === 0) {
        // A file may have been made longer before it was written to: no more than an end that is missing.
        if (block.subarray(at).some((byte) => byte !== 0)) isSound = false;
        isBehindHole = true;
        break;
      }
      const end = at + logHeaderBytes + length;
      if (end > block.length) {
        // The process died in this write, unless others follow.
        if (block.length === logBlockBytes || hasRecord(block.subarray(at + 1))) isSound = false;
        break;
      }
      const isIntact = unmask(view.getUint32(at, true)) === crc32c(block.subarray(at + 6, end));
      take(type, { data: block.subarray(at + logHeaderBytes, end), isSound: isIntact });
      at = end;
    }
  }
  return { found, isSound };
}

/** Whether a record begins anywhere in these bytes. */
function hasRecord(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  for (let at = 0; at + logHeaderBytes <= bytes.length; at += 1) {
    const type = view.getUint8(at + 6);
    const end = at + logHeaderBytes + view.getUint16(at + 4, true);
    if (type < fullRecord || type > lastPart || end > bytes.length) continue;
    if (unmask(view.getUint32(at, true)) === crc32c(bytes.subarray(at + 6, end))) return true;
  }
  return false;
}

/** Reads the changes that a log holds. */
export function readLog(bytes: Uint8Array): FoundRecords<FoundChange> {
  const records = readRecords(bytes);
  const found: FoundChange[] = [];
  let { isSound } = records;
  for (const { data, isSound: isIntact } of records.found) {
    if (!readBatch(data, isIntact, found)) isSound = false;
  }
  return { found, isSound };
}

const batchHeaderBytes = 12;

/** Adds the changes of one write. False if it ends too early. */
function readBatch(data: Uint8Array, isSound: boolean, found: FoundChange[]): boolean {
  if (data.length < batchHeaderBytes) return false;
  const first = Number(viewOf(data).getBigUint64(0, true));
  const reader = new Reader(data, batchHeaderBytes);
  for (let sequence = first; !reader.isAtEnd; sequence += 1) {
    const type = reader.byte();
    const key = reader.chunk();
    const value = type === putType ? reader.chunk() : undefined;
    if (key === undefined || (type === putType && value === undefined)) return false;
    found.push({ key: textOf(key), sequence, value, isSound });
  }
  return true;
}

/** What a manifest says: which files hold the store. */
export interface FoundVersion {
  /** The oldest log that is needed. 0 before there is one. */
  readonly log: number;
  readonly tables: ReadonlySet<number>;
}

/** Reads a manifest. Undefined if it is damaged. */
export function readManifest(bytes: Uint8Array): FoundVersion | undefined {
  const { found, isSound } = readRecords(bytes);
  const tables = new Set<number>();
  let log = 0;
  for (const { data } of found) {
    const reader = new Reader(data);
    while (!reader.isAtEnd) {
      const edit = readEdit(reader);
      if (edit === undefined) return undefined;
      if (edit.log !== undefined) ({ log } = edit);
      if (edit.added !== undefined) tables.add(edit.added);
      if (edit.removed !== undefined) tables.delete(edit.removed);
    }
  }
  return isSound && found.length > 0 ? { log, tables } : undefined;
}

interface Edit {
  readonly log?: number;
  readonly added?: number;
  readonly removed?: number;
}

const [comparatorTag, logTag, nextFileTag, sequenceTag, pointerTag, removedTag, addedTag, oldLogTag] = [
  1, 2, 3, 4, 5, 6, 7, 9,
];

/** One field of an edit. Undefined if there is no such field. */
function readEdit(reader: Reader): Edit | undefined {
  switch (reader.varint()) {
    case comparatorTag:
      return reader.chunk() && {};
    case logTag:
      return { log: reader.varint() ?? 0 };
    case nextFileTag:
    case sequenceTag:
    case oldLogTag:
      return reader.varint() === undefined ? undefined : {};
    case pointerTag:
      reader.varint();
      return reader.chunk() && {};
    case removedTag:
      reader.varint();
      return { removed: reader.varint() ?? 0 };
    case addedTag: {
      reader.varint();
      const [added, , , largest] = [reader.varint() ?? 0, reader.varint(), reader.chunk(), reader.chunk()];
      return largest && { added };
    }
    default:
      return undefined;
  }
}

const putType = 1;
const trailerBytes = 5;
const footerBytes = 48;
const magic = 0xdb4775248b80fb57n;
/** So many entries begin a new sequence of shared prefixes, and so a number at the end of the block. */
const restartInterval = 16;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Reads the changes that a table holds. */
export function readTable(bytes: Uint8Array): FoundRecords<FoundChange> {
  const footer = readFooter(bytes);
  const index = footer && soundBlock(bytes, footer.index);
  const handles = index && handlesOf(readEntries(index).entries);
  if (footer === undefined || handles === undefined) return { found: changesOf(blocksInOrder(bytes)), isSound: false };
  const blocks = handles.map((handle) => {
    const sound = soundBlock(bytes, handle);
    return { block: sound ?? bytes.subarray(handle.offset, handle.offset + handle.size), isSound: sound !== undefined };
  });
  const isSound = blocks.every((one) => one.isSound) && isMetaSound(bytes, footer.meta);
  return { found: changesOf(blocks), isSound };
}

function readFooter(bytes: Uint8Array): { readonly meta: Handle; readonly index: Handle } | undefined {
  if (bytes.length < footerBytes) return undefined;
  const footer = bytes.subarray(bytes.length - footerBytes);
  if (viewOf(footer).getBigUint64(footerBytes - 8, true) !== magic) return undefined;
  const reader = new Reader(footer);
  const [meta, index] = [reader.handle(), reader.handle()];
  return meta && index && { meta, index };
}

/** The filters say which keys a table does not have: a wrong one hides keys. */
function isMetaSound(bytes: Uint8Array, meta: Handle): boolean {
  const block = soundBlock(bytes, meta);
  const handles = block && handlesOf(readEntries(block).entries);
  return handles?.every((handle) => soundBlock(bytes, handle) !== undefined) ?? false;
}

function handlesOf(entries: readonly Entry[]): Handle[] | undefined {
  const handles: Handle[] = [];
  for (const { value } of entries) {
    const handle = new Reader(value).handle();
    if (handle === undefined) return undefined;
    handles.push(handle);
  }
  return handles;
}

/** The block, if its checksum holds and nothing in it is compressed, as nothing of ours is. */
function soundBlock(bytes: Uint8Array, { offset, size }: Handle): Uint8Array | undefined {
  const end = offset + size;
  if (end + trailerBytes > bytes.length || bytes[end] !== 0) return undefined;
  const noted = unmask(viewOf(bytes).getUint32(end + 1, true));
  return noted === crc32c(bytes.subarray(offset, end + 1)) ? bytes.subarray(offset, end) : undefined;
}

/** Without an index: each block begins where the one before it ends. */
function* blocksInOrder(bytes: Uint8Array): Generator<{ block: Uint8Array; isSound: boolean }> {
  for (let offset = 0; ; ) {
    const { entries, end } = readEntries(bytes.subarray(offset));
    const size = end + 4 * Math.ceil(entries.length / restartInterval) + 4;
    if (entries.length === 0) return;
    const sound = soundBlock(bytes, { offset, size });
    yield { block: sound ?? bytes.subarray(offset), isSound: sound !== undefined };
    if (sound === undefined) return;
    offset += size + trailerBytes;
  }
}

function* changesOf(
  blocks: Iterable<{ readonly block: Uint8Array; readonly isSound: boolean }>,
): Generator<FoundChange> {
  for (const { block, isSound } of blocks) {
    for (const { key, value } of readEntries(block).entries) {
      const user = key.subarray(0, key.length - 8);
      const tag = viewOf(key).getBigUint64(key.length - 8, true);
      const isPut = Number(tag & 0xffn) === putType;
      yield { key: textOf(user), sequence: Number(tag >> 8n), value: isPut ? value : undefined, isSound };
    }
  }
}

/** The entries of a block. They end where no key can be: at the block's own numbers, the first of which is 0. */
function readEntries(block: Uint8Array): { readonly entries: readonly Entry[]; readonly end: number } {
  const entries: Entry[] = [];
  const reader = new Reader(block);
  let before: Uint8Array = new Uint8Array();
  for (let end = 0; ; end = reader.at) {
    const [shared, own, size] = [reader.varint(), reader.varint(), reader.varint()];
    const rest = reader.bytes(own);
    const value = reader.bytes(size);
    if (shared === undefined || shared > before.length || rest === undefined || value === undefined)
      return { entries, end };
    const key = Buffer.concat([before.subarray(0, shared), rest]);
    if (key.length < 8) return { entries, end };
    entries.push({ key, value });
    before = key;
  }
}

/** Reads on until something is not there. From then on, nothing is. */
class Reader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number | undefined {
    const byte = this.#bytes[this.at];
    this.at += 1;
    return byte;
  }

  varint(): number | undefined {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 42; factor *= 128) {
      const byte = this.byte();
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
    return undefined;
  }

  bytes(size: number | undefined): Uint8Array | undefined {
    if (size === undefined || this.at + size > this.#bytes.length) {
      this.at = this.#bytes.length;
      return undefined;
    }
    this.at += size;
    return this.#bytes.subarray(this.at - size, this.at);
  }

  chunk(): Uint8Array | undefined {
    return this.bytes(this.varint());
  }

  handle(): Handle | undefined {
    const [offset, size] = [this.varint(), this.varint()];
    return offset === undefined || size === undefined ? undefined : { offset, size };
  }
}

/** A checksum of what holds checksums is a weak one, so LevelDB stores them in another form. */
function unmask(stored: number): number {
  const rotated = (stored - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
