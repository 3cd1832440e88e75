import { accessSync, constants, statSync } from "node:fs";

/** What the variables said, before it becomes options. */
export interface EnvironmentSettings {
  service?: string;
  settleTimeoutMs?: number;
  drainTimeoutMs?: number;
  maxContextBytes?: number;
  brokers?: string;
  topic?: string;
  clientId?: string;
  cloudEvents?: boolean;
  maxQueuedEvents?: number;
  maxQueuedBytes?: number;
  deliveryTimeoutMs?: number;
  closeTimeoutMs?: number;
  tls?: boolean;
  tlsCaFile?: string;
  tlsCertFile?: string;
  tlsKeyFile?: string;
  tlsKeyPassword?: string;
  saslMechanism?: string;
  saslUsername?: string;
  saslPassword?: string;
}

/** One row of the table that parsing, errors and README share. */
export interface EnvironmentVariable {
  readonly name: string;
  /** What a value must be, as errors say it. */
  readonly expects: string;
  /** What holds where the variable is not set. */
  readonly byDefault: string;
  readonly meaning: string;
  /** Its value appears in no error. */
  readonly secret: boolean;
  /** Stores the parsed value, or answers false where the value is not what is expected. */
  readonly read: (value: string, settings: EnvironmentSettings) => boolean;
}

/** The keys of the settings that hold a T. */
type KeysOf<T> = {
  [K in keyof EnvironmentSettings]-?: Required<EnvironmentSettings>[K] extends T ? K : never;
}[keyof EnvironmentSettings];
type Kind = Pick<EnvironmentVariable, "expects" | "secret" | "read">;

function text(key: KeysOf<string>, expects = "text", pattern = /^[^\p{Cc}]+$/u): Kind {
  return { expects, secret: false, read: (value, settings) => pattern.test(value) && store(settings, key, value) };
}

function secret(key: KeysOf<string>): Kind {
  return { expects: "text", secret: true, read: (value, settings) => store(settings, key, value) };
}

function flag(key: KeysOf<boolean>): Kind {
  const read: Kind["read"] = (value, settings) =>
    /^(true|false)$/.test(value) && store(settings, key, value === "true");
  return { expects: "`true` or `false`", secret: false, read };
}

function file(key: KeysOf<string>): Kind {
  return {
    expects: "the path of a readable file",
    secret: false,
    read: (value, settings) => isReadable(value) && store(settings, key, value),
  };
}

function integer(key: KeysOf<number>, unit: string, min: number, max: number): Kind {
  const read: Kind["read"] = (value, settings) => {
    const parsed = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN;
    return parsed >= min && parsed <= max && store(settings, key, parsed);
  };
  return { expects: `a whole number of ${unit} from ${min} to ${max}`, secret: false, read };
}

function store<K extends keyof EnvironmentSettings>(
  settings: EnvironmentSettings,
  key: K,
  value: Required<EnvironmentSettings>[K],
): true {
  settings[key] = value;
  return true;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function variable(name: string, kind: Kind, byDefault: string, meaning: string): EnvironmentVariable {
  return { name: `SESSION_TRACKING_${name}`, byDefault, meaning, ...kind };
}

/** Timers and librdkafka end here: the largest signed 32-bit number. */
const int32 = 2_147_483_647;
const brokerList = /^[^\s,;/@]+:\d{1,5}( *, *[^\s,;/@]+:\d{1,5})*$/;

/** Every variable there is. The order is the README's. */
// biome-ignore format: a table reads best with a row a line
export const environmentVariables: readonly EnvironmentVariable[] = [
  variable("SERVICE", text("service"), "`unknown-service`", "The service's name in its events"),
  variable("KAFKA_BROKERS", text("brokers", "`host:port`, several joined by commas", brokerList), "none: events are dropped and counted", "Where Kafka is"),
  variable("KAFKA_TOPIC", text("topic", "1 to 249 of `[A-Za-z0-9._-]`", /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/), "`session-activities`", "The topic that events go to"),
  variable("KAFKA_CLIENT_ID", text("clientId"), "the service", "What the broker's logs and quotas know this client by"),
  variable("KAFKA_CLOUD_EVENTS", flag("cloudEvents"), "`false`", "Adds the CloudEvents headers to each record"),
  variable("KAFKA_TLS", flag("tls"), "`true` with SASL or a TLS file, else `false`", "Encrypts the connection"),
  variable("KAFKA_TLS_CA_FILE", file("tlsCaFile"), "the system's", "Certificates to trust, PEM"),
  variable("KAFKA_TLS_CERT_FILE", file("tlsCertFile"), "none", "This client's certificate, PEM"),
  variable("KAFKA_TLS_KEY_FILE", file("tlsKeyFile"), "none", "This client's private key, PEM"),
  variable("KAFKA_TLS_KEY_PASSWORD", secret("tlsKeyPassword"), "none", "Decrypts the private key"),
  variable("KAFKA_SASL_MECHANISM", text("saslMechanism", "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`", /^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$/), "none", "How to log in; needs user name and password"),
  variable("KAFKA_SASL_USERNAME", text("saslUsername"), "none", "The user to log in as"),
  variable("KAFKA_SASL_PASSWORD", secret("saslPassword"), "none", "The user's password"),
  variable("KAFKA_MAX_QUEUED_EVENTS", integer("maxQueuedEvents", "events", 1, 10_000_000), "`50000`", "How many events may wait for Kafka; above it they are dropped and counted"),
  variable("KAFKA_MAX_QUEUED_BYTES", integer("maxQueuedBytes", "bytes", 1024, int32), "`33554432` (32 MiB)", "How many bytes may wait for Kafka"),
  variable("KAFKA_DELIVERY_TIMEOUT_MS", integer("deliveryTimeoutMs", "milliseconds", 10, int32), "`300000` (5 min)", "How long an event may wait for Kafka; a short time loses and doubles events in an outage"),
  variable("KAFKA_CLOSE_TIMEOUT_MS", integer("closeTimeoutMs", "milliseconds", 1, int32), "`5000`", "How long `close()` waits for Kafka"),
  variable("SETTLE_TIMEOUT_MS", integer("settleTimeoutMs", "milliseconds", 1, int32), "`10000`", "How long an event waits for a handler whose caller is gone"),
  variable("DRAIN_TIMEOUT_MS", integer("drainTimeoutMs", "milliseconds", 1, int32), "the settle timeout", "How long `close()` waits for calls that are still open"),
  variable("MAX_CONTEXT_BYTES", integer("maxContextBytes", "bytes", 1, int32), "`8192`", "The longest session context that an event carries"),
];
