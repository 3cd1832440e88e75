import type { SessionTrackingKafkaOptions, SessionTrackingOptions } from "../tracking-options.js";
import { type EnvironmentSettings, type EnvironmentVariable, environmentVariables } from "./environment-variables.js";

const prefix = "SESSION_TRACKING_";

type Environment = Readonly<Record<string, string | undefined>>;

/** What is wrong, by the name of the variable. */
type Problems = Map<string, string>;

/** A row of the configuration table, as the README prints it. */
export type EnvironmentTableRow = Pick<EnvironmentVariable, "name" | "expects" | "byDefault" | "meaning">;

/** The variables that `sessionTrackingFromEnv` knows, in the README's order. */
export function environmentTable(): readonly EnvironmentTableRow[] {
  return environmentVariables.map(({ name, expects, byDefault, meaning }) => ({ name, expects, byDefault, meaning }));
}

/**
 * Reads the options of `startSessionTracking` from environment variables, by default from the process's own. The README's
 * configuration table lists them. An empty one counts as not set; spaces around a value, except a password's, do not count.
 *
 * Throws one `TypeError` that names every variable whose value is wrong and every unknown `SESSION_TRACKING_*` name, since a
 * misspelt one would switch the trail off unseen. It never holds a password.
 */
export function sessionTrackingFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): SessionTrackingOptions {
  const settings: EnvironmentSettings = {};
  const problems = new Map<string, string>();
  readKnown(env, settings, problems);
  findUnknown(env, problems);
  findContradictions(settings, problems);
  if (problems.size > 0) {
    const list = [...problems].map(([name, problem]) => `- ${name} ${problem}`);
    throw new TypeError(["The environment does not configure session tracking:", ...list].join("\n"));
  }
  const { service = "unknown-service", settleTimeoutMs, drainTimeoutMs, maxContextBytes } = settings;
  return { service, settleTimeoutMs, drainTimeoutMs, maxContextBytes, kafka: kafkaOptions(settings) };
}

/**
 * Reads where the history worker keeps its history, from `SESSION_HISTORY_DATABASE`: the address may hold a password, and
 * everybody on a machine can read its processes' command lines.
 */
export function historyDatabaseFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  return env["SESSION_HISTORY_DATABASE"]?.trim() || undefined;
}

function readKnown(env: Environment, settings: EnvironmentSettings, problems: Problems): void {
  for (const { name, expects, secret, read } of environmentVariables) {
    const raw = env[name] ?? "";
    const value = secret ? raw : raw.trim();
    if (value !== "" && !read(value, settings)) problems.set(name, `is ${shown(value, secret)}, expected ${expects}`);
  }
}

/** The value as an error may show it: neither a password nor the one inside an address, and not a whole file. */
function shown(value: string, secret: boolean): string {
  if (secret) return "a secret";
  const open = value.replaceAll(/[^\s,/]*@/g, "…@");
  return JSON.stringify(open.length > 100 ? `${open.slice(0, 100)}…` : open);
}

/** Their values stay out of the error: behind a misspelt name may stand a password. */
function findUnknown(env: Environment, problems: Problems): void {
  const known = environmentVariables.map(({ name }) => name);
  for (const [name, value] of Object.entries(env)) {
    const like = name.toUpperCase();
    if (!value || !like.startsWith(prefix) || known.includes(name)) continue;
    problems.set(name, `is unknown, did you mean ${nearest(like, known)}?`);
  }
}

/** What no variable shows by itself. Of one variable only the first problem counts: a wrong value is not a missing one. */
function findContradictions(s: EnvironmentSettings, problems: Problems): void {
  const expect = (suffix: string, holds: boolean, expected: string): void => {
    const name = `${prefix}KAFKA_${suffix}`;
    if (!holds && !problems.has(name)) problems.set(name, expected);
  };
  const { tlsCaFile, tlsCertFile, tlsKeyFile, tlsKeyPassword, saslMechanism, saslUsername, saslPassword } = s;
  const tlsFile = tlsCaFile ?? tlsCertFile ?? tlsKeyFile;
  expect("TLS", s.tls !== false || tlsFile === undefined, 'is "false", expected `true` or no TLS files');
  expect("TLS_CERT_FILE", !!tlsCertFile || !tlsKeyFile, "is not set, expected the certificate that belongs to the key");
  expect("TLS_KEY_FILE", !!tlsKeyFile || !tlsCertFile, "is not set, expected the key that belongs to the certificate");
  expect("TLS_KEY_FILE", !!tlsKeyFile || !tlsKeyPassword, "is not set, expected the key that belongs to the password");
  const sasl = saslMechanism ?? saslUsername ?? saslPassword;
  expect("SASL_MECHANISM", !!saslMechanism || !sasl, "is not set, expected one, since SASL credentials are");
  expect("SASL_USERNAME", !!saslUsername || !sasl, "is not set, expected one, as SASL needs it");
  expect("SASL_PASSWORD", !!saslPassword || !sasl, "is not set, expected one, as SASL needs it");
}

function kafkaOptions(s: EnvironmentSettings): SessionTrackingKafkaOptions {
  const { brokers, topic, clientId, cloudEvents } = s;
  const { maxQueuedEvents, maxQueuedBytes, deliveryTimeoutMs, closeTimeoutMs } = s;
  const bounds = { maxQueuedEvents, maxQueuedBytes, deliveryTimeoutMs, closeTimeoutMs };
  return { brokers, topic, clientId, cloudEvents, ...bounds, properties: securityProperties(s) };
}

/** TLS and SASL as librdkafka calls them. Credentials go over TLS unless that is switched off in so many words. */
function securityProperties(s: EnvironmentSettings): Record<string, string> {
  const sasl = s.saslMechanism !== undefined;
  const tls = s.tls ?? (sasl || s.tlsCaFile !== undefined || s.tlsCertFile !== undefined);
  const properties = {
    "security.protocol": tls || sasl ? [sasl ? "sasl" : [], tls ? "ssl" : "plaintext"].flat().join("_") : undefined,
    "ssl.ca.location": s.tlsCaFile,
    "ssl.certificate.location": s.tlsCertFile,
    "ssl.key.location": s.tlsKeyFile,
    "ssl.key.password": s.tlsKeyPassword,
    "sasl.mechanism": s.saslMechanism,
    "sasl.username": s.saslUsername,
    "sasl.password": s.saslPassword,
  };
  return Object.fromEntries(
    Object.entries(properties).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function nearest(name: string, known: readonly string[]): string {
  const byDistance = known.map((candidate) => ({ candidate, distance: editDistance(name, candidate) }));
  return byDistance.reduce((best, next) => (next.distance < best.distance ? next : best)).candidate;
}

/** Levenshtein's: how many letters to add, remove or change. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const change = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
