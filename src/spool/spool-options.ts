import type { Logger } from "../base/log.js";
import {
  logOption,
  milliseconds,
  type Option,
  type OptionsOf,
  objectWith,
  oneOf,
  readOptions,
  text,
  wholeNumber,
} from "../base/options.js";
import type { Publisher } from "../publishing/publisher.js";

/** How a spool keeps events. */
export interface SpoolOptions {
  /**
   * The folder that the spools of all processes of a service share. It is made if it is missing, and only its owner may enter
   * it. Each process has a folder of its own inside, which another one adopts when the process has died: so replicas and
   * rolling updates may share a volume.
   */
  directory: string;
  /**
   * What events survive: `"process"` the death of the process, `"power"` the loss of power, too. `"power"` waits for the disk at
   * the start and at the end of each call.
   *
   * @default "process"
   */
  durability?: "process" | "power" | undefined;
  /**
   * What becomes of a call that cannot be recorded before it runs, because the spool is full, fails, is slow, or is closed. With
   * `"run"` it runs, and its event is only in memory until Kafka has it. With `"refuse"` it ends with `RESOURCE_EXHAUSTED`.
   *
   * @default "run"
   */
  onUnrecordable?: "run" | "refuse" | undefined;
  /** How many bytes of events may lie there, of one process. @default 536_870_912, which is 512 MiB */
  maxBytes?: number | undefined;
  /** How long a call waits for its record, in milliseconds. A disk that takes longer counts as slow. @default 1_000 */
  writeTimeoutMs?: number | undefined;
  /**
   * Encrypts what lies on the disk with AES-256-GCM. Whoever adopts the folder needs the same key: with another one, a spool is
   * left alone and reported.
   *
   * @default none: what lies there can be read by the owner of the folder, and by root
   */
  encryptionKey?: Uint8Array | undefined;
}

/** Options of `createDurablePublisher`. */
export interface DurablePublisherOptions extends SpoolOptions {
  /** Gets the events once they are in the spool, as the Kafka publisher. */
  publisher: Publisher;
  /** Takes warnings and errors. `false` silences them. @default a line each on stderr */
  log?: Logger | false | undefined;
}

/** How a spool keeps events, checked and completed. */
export interface SpoolSettings {
  readonly directory: string;
  readonly durability: "process" | "power";
  readonly onUnrecordable: "run" | "refuse";
  readonly maxBytes: number;
  readonly writeTimeoutMs: number;
  readonly encryptionKey: Uint8Array | undefined;
}

/** The options, checked and completed. */
export interface DurableSettings extends SpoolSettings {
  readonly publisher: Publisher;
  readonly log: Logger | false | undefined;
}

const keyBytes = 32;

const encryptionKeyOption: Option<Uint8Array | undefined> = {
  meaning: "Encrypts what lies on the disk with AES-256-GCM",
  expects: `a Uint8Array of ${keyBytes} bytes, or as a variable their base64`,
  defaultText: "none",
  secret: true,
  variable: "SPOOL_ENCRYPTION_KEY",
  read: (value) => (value instanceof Uint8Array && value.length === keyBytes ? value : undefined),
  parse: (given) => Buffer.from(given, "base64"),
};

/** The options of a spool. */
export const spoolTable: OptionsOf<SpoolSettings> = {
  directory: text({
    meaning: "The folder that the spools of a service's processes share",
    expects: "the path of a folder",
    required: true,
    variable: "SPOOL_DIRECTORY",
  }),
  durability: oneOf(["process", "power"], {
    meaning: "What events survive: the death of the process, or the loss of power, too",
    byDefault: "process",
    variable: "SPOOL_DURABILITY",
  }),
  onUnrecordable: oneOf(["run", "refuse"], {
    meaning: "What becomes of a call that cannot be recorded before it runs",
    byDefault: "run",
    variable: "SPOOL_ON_UNRECORDABLE",
  }),
  maxBytes: wholeNumber({
    meaning: "How many bytes of events may lie there, of one process",
    unit: "bytes",
    byDefault: 512 * 1024 * 1024,
    min: 64 * 1024,
    variable: "SPOOL_MAX_BYTES",
  }),
  writeTimeoutMs: milliseconds({
    meaning: "How long a call waits for its record",
    byDefault: 1_000,
    min: 1,
    max: 4_000,
    variable: "SPOOL_WRITE_TIMEOUT_MS",
  }),
  encryptionKey: encryptionKeyOption,
};

const durableTable: OptionsOf<DurableSettings> = {
  ...spoolTable,
  publisher: {
    ...objectWith<Publisher>(["publish", "stats", "close"], {
      meaning: "Gets the events once they are in the spool",
      expects: "a Publisher, such as createKafkaPublisher makes",
    }),
    byDefault: undefined,
    required: true,
  },
  log: logOption,
};

/** Checks and completes the options. Throws an `OptionError` that names the option. */
export function durableSettings(options: DurablePublisherOptions): DurableSettings {
  return readOptions("createDurablePublisher", durableTable, options);
}
