import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readHistoryArguments } from "../../src/cli/history-arguments.js";
import { startHistoryWorker } from "../../src/cli/index.js";
import { gatewaySettings } from "../../src/gateway/gateway-options.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { createKafkaPublisher, createSessionActivityConsumer, startSessionTracking } from "../../src/kafka/index.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../src/signature/index.js";

/** It stands in no name and no text of ours, and whole or in part it is found again. */
const marker = "Zq7Xw";

/** Passwords as people have them: the marker amid all that may stand in one. */
const passwords = fc
  .tuple(fc.string({ maxLength: 8, unit: fc.constantFrom(...Array.from("aB3,;/@:?#[]{}\"'\\ %&=\n\té")) }), fc.nat(3))
  .map(([around, times]) => `${around}${marker}${around}${marker.repeat(times)}`);
const pem = (password: string): string => `-----BEGIN PRIVATE KEY-----\n${password}\n-----END PRIVATE KEY-----\n`;
const jwk = (password: string): object => ({
  kty: "OKP",
  crv: "Ed25519",
  x: "AAAA",
  d: password,
  k: password,
  kid: "a",
});

/** A secret in the place where it belongs, or where somebody puts it by mistake. */
const kafka: ((password: string) => object)[] = [
  (password) => ({ brokers: `user:${password}@broker:9092` }),
  (password) => ({ brokers: `SASL_SSL://user:${password}@broker:9092,user:${password}@b:1` }),
  (password) => ({ brokers: [`user:${password}@broker:9092`] }),
  (password) => ({ brokers: `user:${password}@broker:9092`.split(",") }),
  (password) => ({ brokers: { password } }),
  (password) => ({ oauthToken: password }),
  (password) => ({ oauthToken: { value: password } }),
  (password) => ({ key: password }),
  (password) => ({ properties: password }),
  (password) => ({ properties: [password] }),
  (password) => ({ properties: { "sasl.password": [password] } }),
  (password) => ({ properties: { "ssl.key.pem": { pem: pem(password) } } }),
  (password) => ({ properties: { dr_cb: true, "sasl.password": password } }),
  (password) => ({ properties: { "sasl.mechanism": "PLAIN", "sasl.password": password }, oauthToken: () => {} }),
  (password) => ({ password }),
  (password) => ({ sasl: { password } }),
  (password) => ({ topic: pem(password) }),
  (password) => ({ clientId: { password } }),
  (password) => ({ log: { password } }),
];

const doors: Record<string, { readonly places: ((password: string) => unknown)[]; open(given: never): unknown }> = {
  startSessionTracking: {
    places: [
      ...kafka.map((place) => (password: string) => ({ kafka: withBrokers(place(password)) })),
      (password) => password,
      (password) => ({ kafka: password && pem(password) }),
      (password) => ({ verify: password }),
      (password) => ({ verify: jwk(password) }),
      (password) => ({ recordContext: password }),
      (password) => ({ shutdownSignal: password }),
      (password) => ({ env: password }),
      (password) => ({ env: { SESSION_TRACKING_KAFKA_SASL_PASSWORD: 1, password } }),
      ...["BROKERS", "BROKER"].map((name) => (password: string) => ({
        env: { [`SESSION_TRACKING_KAFKA_${name}`]: `SASL_SSL://user:${password}@broker:9092` },
      })),
      ...["SASL_PASSWORD", "SASL_PASSWORT", "TLS_KEY_PASSWORD", "PROPERTIES"].map((name) => (password: string) => ({
        env: { [`SESSION_TRACKING_KAFKA_${name}`]: password },
      })),
      (password) => ({ env: { SESSION_TRACKING_KAFKA_TLS_KEY_FILE: pem(password) } }),
      (password) => ({ env: { SESSION_TRACKING_KAFKA_PROPERTIES: JSON.stringify({ "sasl.password": [password] }) } }),
    ],
    open: (given) => startSessionTracking(isObject(given) && "env" in given ? given : withoutEnv(given)),
  },
  createKafkaPublisher: { places: kafka, open: (given) => createKafkaPublisher(withBrokers(given)) },
  createSessionActivityConsumer: {
    places: kafka,
    open: (given) =>
      createSessionActivityConsumer({ groupId: "g", handle() {}, onInvalid() {}, ...withoutEnv(withBrokers(given)) }),
  },
  openSignalDatabase: {
    places: [
      (password) => ({ url: `mysql://user:${password}@host/db` }),
      (password) => ({ url: `postgresql://user:${encodeURIComponent(password)}@host:port/db` }),
      (password) => ({ url: [password] }),
      (password) => ({ url: { password } }),
      (password) => ({ password }),
      (password) => ({ env: { SESSION_HISTORY_DATABASE: `mysql://user:${password}@host/db` } }),
      (password) => `mysql://user:${password}@host/db`,
    ],
    open: openSignalDatabase,
  },
  createSignalHistory: {
    places: [
      (password) => ({ database: `postgresql://user:${password}@host/db` }),
      (password) => ({ database: { password } }),
      (password) => ({ tombstoneKey: password.slice(0, 7) }),
      (password) => ({ tombstoneKey: [password] }),
      (password) => ({ tombstoneKey: { password } }),
      (password) => ({ signals: password }),
    ],
    open: createSignalHistory,
  },
  startHistoryWorker: {
    places: [
      ...kafka.map((place) => (password: string) => ({ kafka: place(password), database: { query() {} }, env: false })),
      (password) => ({ database: `postgresql://user:${password}@host/db` }),
      (password) => ({ env: { SESSION_HISTORY_DATABASE: `mysql://user:${password}@host/db` } }),
      (password) => ({ env: { SESSION_HISTORY_DATABAES: `postgresql://user:${password}@host/db` } }),
    ],
    open: startHistoryWorker,
  },
  "session-activity history": {
    places: [
      (password) => ["--database", `postgresql://user:${password}@host/db?password=${password}`],
      (password) => ["--database", `mysql://user:${password}@host/db`],
      (password) => ["--brokers", `user:${password}@broker:9092`],
      (password) => ["--password", password],
      (password) => [password],
      (password) => [`--require-verified=${password}`],
    ],
    open: (args: readonly string[]) => readHistoryArguments(args, {}),
  },
  createSessionKeySet: {
    places: [
      (password) => ({ keys: pem(password) }),
      (password) => ({ keys: password }),
      (password) => ({ keys: jwk(password) }),
      (password) => ({ keys: [jwk(password)] }),
      (password) => ({ keys: [JSON.stringify(jwk(password))] }),
      (password) => ({ keys: [pem(password)] }),
      (password) => ({ keys: [password, password] }),
      (password) => ({ jwksUrl: `ftp://user:${encodeURIComponent(password)}@host/jwks?token=${password}` }),
      (password) => ({ jwksUrl: `host/jwks?token=${password}` }),
    ],
    open: createSessionKeySet,
  },
  createSessionSigner: {
    places: [
      (password) => ({ key: pem(password), audience: "a" }),
      (password) => ({ key: password, audience: "a" }),
      (password) => ({ key: jwk(password), audience: "a" }),
      (password) => ({ key: JSON.stringify(jwk(password)), audience: "a" }),
      (password) => ({ key: [password], audience: "a" }),
      (password) => ({ key: Buffer.from(pem(password)), audience: "a" }),
      (password) => ({ privateKey: pem(password), audience: "a" }),
    ],
    open: createSessionSigner,
  },
  createSessionVerifier: {
    places: [(password) => ({ keys: pem(password) }), (password) => ({ keys: [jwk(password)] })],
    open: createSessionVerifier,
  },
  createSessionGatewayInterceptor: {
    places: [
      (password) => ({ session() {}, operations: [], sign: password }),
      (password) => ({ session() {}, operations: [], sign: jwk(password) }),
      (password) => ({ session: password, operations: [] }),
      (password) => ({ session() {}, operations: { password } }),
    ],
    open: gatewaySettings,
  },
};

describe("no error about options shows a secret, wherever it was put", () => {
  it.each(Object.entries(doors))("%s", (_, { places, open }) => {
    for (const [number, place] of places.entries()) {
      fc.assert(
        fc.property(passwords, (password) => {
          const error = errorOf(() => open(place(password) as never));
          expect([number, error === undefined]).toEqual([number, false]);
          expect([number, everythingIn(error).filter((text) => text.includes(marker))]).toEqual([number, []]);
        }),
        { numRuns: 40 },
      );
    }
  });
});

function errorOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** All texts of an error, and of its causes. A stack begins with the message. */
function everythingIn(error: unknown): string[] {
  if (!(error instanceof Error)) return [String(error)];
  const own = Object.getOwnPropertyNames(error).map((name) => String(Reflect.get(error, name)));
  return [
    String(error),
    JSON.stringify(error),
    ...own,
    ...(error.cause === undefined ? [] : everythingIn(error.cause)),
  ];
}

function isObject(given: unknown): given is object {
  return typeof given === "object" && given !== null;
}

function withoutEnv(given: object): object {
  return isObject(given) ? { ...given, env: false } : given;
}

function withBrokers(given: object): { brokers: string } {
  return { brokers: "127.0.0.1:1", ...given };
}
