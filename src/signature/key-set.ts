import type { JsonWebKey } from "node:crypto";
import { type Environment, environmentOption, onTopOfEnvironment } from "../base/environment.js";
import { readableFile } from "../base/file-option.js";
import type { Logger } from "../base/log.js";
import { createTroubleLog } from "../base/log.js";
import { missingOption, wrongOption, wrongOptionShown } from "../base/option-error.js";
import { flag, isOptions, logOption, maxInt32, milliseconds, type OptionsOf, readOptions } from "../base/options.js";
import { type FetchFailure, type FetchProblem, fetchAdvice } from "./fetch-failure.js";
import { fetchKeys } from "./jwks.js";
import { isPem, publicAdvice, type SessionKey } from "./key.js";
import { readGivenKey, readPublicKeyFile } from "./key-file.js";
import type { SignatureTrouble } from "./signature-troubles.js";
import { signatureFromEnv } from "./signature-variables.js";

/** Options of {@link createSessionKeySet}: keys, a file, an address, or several of them. */
export interface SessionKeySetOptions {
  /**
   * Public keys, Ed25519 or P-256: JWKs, each with a `kid`, or PEM, whose id is the key's thumbprint (RFC 7638). They go before
   * those from the address.
   */
  keys?: readonly (JsonWebKey | string)[] | undefined;
  /**
   * The path of a file with public keys: a JWKS, a JWK or PEM. It is read once. Its keys go with those in `keys`.
   *
   * @default the variable `SESSION_SIGNATURE_KEYS_FILE`
   */
  keysFile?: string | undefined;
  /** Where the gateway publishes its public keys as a JWKS. */
  jwksUrl?: string | URL | undefined;
  /** How often the JWKS is fetched, in milliseconds. By default, 300,000. Sooner after a failure, or for an unknown key. */
  refreshMs?: number | undefined;
  /** How long fetching may take, in milliseconds. By default, 5,000. */
  timeoutMs?: number | undefined;
  /**
   * The age from which keys of the JWKS no longer hold, in milliseconds, counted from the last fetch that succeeded. Marks are
   * then `key_stale`. It must be larger than `refreshMs` and `timeoutMs` together. Without it, whoever can keep this service
   * from the address can keep a key in use that the gateway has taken away.
   *
   * @default none: the last keys hold without end
   * @example maxStaleMs: 24 * 60 * 60_000
   */
  maxStaleMs?: number | undefined;
  /** Allows a JWKS over plain HTTP from another machine. Whoever can change the answer on its way can then forge marks. */
  allowInsecureUrl?: boolean | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment. If code names keys, a file or
   * an address, only these are trusted.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
  /** Takes warnings. By default, a line each on stderr; false silences them. */
  log?: Logger | false | undefined;
}

/** Counts of a key set since its creation. */
export interface SessionKeySetStats {
  /** Keys known now. */
  readonly keys: number;
  /** How often the JWKS was fetched. */
  readonly refreshed: number;
  /** How often that failed. */
  readonly refreshFailed: number;
  /** When it was last fetched. Undefined until then. */
  readonly refreshedAt: Date | undefined;
  /** Why the last attempt to fetch it failed. Undefined if it did not. */
  readonly refreshProblem: FetchProblem | undefined;
  /** Whether the keys of the JWKS are older than `maxStaleMs`, and no longer hold. */
  readonly stale: boolean;
}

/** The public keys of gateways, in memory. */
export interface SessionKeySet {
  /** Finds a key. Asking for one that is not there makes the JWKS be fetched again, in the background. */
  find(keyId: string): SessionKey | undefined;
  /** Whether the keys of the JWKS are older than `maxStaleMs`: then `find` finds none of them. */
  isStale(): boolean;
  /** Resolves when the JWKS was fetched for the first time, or could not be. Never rejects. */
  ready(): Promise<void>;
  /** The counts at this moment. */
  stats(): SessionKeySetStats;
  /** Stops fetching. */
  close(): void;
}

/** The shortest time between two attempts to fetch, whatever unknown keys strangers ask for. */
const pauseMs = 10_000;

/**
 * Creates a set of public keys. With several, a gateway can change its key: publish the new one, sign with it, take away
 * the old one.
 *
 * A JWKS is fetched in the background, now and then. If that fails, the keys known so far stay, up to `maxStaleMs`: watch
 * `stats().refreshedAt`. Throws a TypeError for options that are wrong.
 */
export function createSessionKeySet(options: SessionKeySetOptions = {}): SessionKeySet {
  const { url, refreshMs, timeoutMs, maxStaleMs, local, log } = keySetSettings(options);
  const counts = { refreshed: 0, refreshFailed: 0 };
  const stop = new AbortController();
  let remote = new Map<string, SessionKey>();
  let refreshedAt: Date | undefined;
  let refreshProblem: FetchProblem | undefined;
  let staleAt = Infinity;
  let attemptedAt = 0;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  const isStale = (): boolean => staleAt !== Infinity && performance.now() >= staleAt;

  async function refresh(from: URL): Promise<void> {
    attemptedAt = performance.now();
    const fetched = await fetchKeys(from, AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)]));
    running = undefined;
    if (stop.signal.aborted) return;
    if (fetched.kind === "failed") {
      fail(from, fetched);
      schedule(from, Math.min(refreshMs, pauseMs));
      return;
    }
    remote = index(fetched.keys);
    refreshedAt = new Date();
    refreshProblem = undefined;
    // The answer may be as old as the question.
    staleAt = attemptedAt + (maxStaleMs ?? Infinity);
    counts.refreshed += 1;
    schedule(from, refreshMs);
  }

  /** No more of the address than its origin is told: there are secrets in paths, too. */
  function fail({ origin }: URL, { problem, code, status }: FetchFailure): void {
    counts.refreshFailed += 1;
    refreshProblem = problem;
    const details = { origin, problem, ...(code && { code }), ...(status && { status }), keys: remote.size };
    const advice = `the JWKS could not be fetched: ${fetchAdvice[problem]}`;
    if (isStale()) log.error("jwks_stale", details, `${advice}. Its keys are older than maxStaleMs and no longer hold`);
    else log.warn("jwks_not_fetched", details, `${advice}. The keys known so far stay`);
  }

  function schedule(from: URL, inMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => start(from), inMs).unref();
  }

  function start(from: URL): void {
    running ??= refresh(from);
  }

  if (url !== undefined) start(url);
  const first = running ?? Promise.resolve();
  return {
    find(keyId) {
      const key = local.get(keyId) ?? (isStale() ? undefined : remote.get(keyId));
      const mayAsk = url !== undefined && running === undefined && !stop.signal.aborted;
      if (key === undefined && mayAsk && performance.now() - attemptedAt >= pauseMs) start(url);
      return key;
    },
    isStale,
    ready: () => first,
    stats() {
      const stale = isStale();
      const usable = new Set([...local.keys(), ...(stale ? [] : remote.keys())]);
      return { keys: usable.size, ...counts, refreshedAt, refreshProblem, stale };
    },
    close() {
      stop.abort();
      clearTimeout(timer);
    },
  };
}

/** Of two keys with one id, the first counts. */
function index(keys: readonly SessionKey[]): Map<string, SessionKey> {
  return new Map(keys.toReversed().map((key) => [key.keyId, key]));
}

/** What the table makes. */
interface GivenSettings {
  readonly keys: readonly unknown[];
  readonly keysFile: string | undefined;
  readonly jwksUrl: URL | undefined;
  readonly refreshMs: number;
  readonly timeoutMs: number;
  readonly maxStaleMs: number | undefined;
  readonly allowInsecureUrl: boolean;
  readonly env: Environment | false | undefined;
  readonly log: Logger | false | undefined;
}

/** The options of a key set. What a key must be is checked when it is read. */
export const keySetTable: OptionsOf<GivenSettings> = {
  keys: {
    meaning: "Public keys: JWKs, each with a `kid`, or PEM",
    expects: "an array of public keys, JWK or PEM",
    byDefault: [],
    defaultText: "none",
    // It may be a private key by mistake.
    secret: true,
    read: (value) => (Array.isArray(value) ? value : undefined),
    advice: (value) =>
      (isOptions(value) && "kty" in value) || isPem(value) ? "put the key into an array" : publicAdvice(value),
  },
  keysFile: readableFile({
    meaning: "A file with public keys, as JWKS, JWK or PEM; it is read once",
    variable: "KEYS_FILE",
  }),
  jwksUrl: {
    meaning: "Where the gateway publishes its public keys as a JWKS",
    expects: "an https: address; an http: address if it is of this machine, or allowInsecureUrl is true",
    defaultText: "none",
    variable: "JWKS_URL",
    read: (value) =>
      typeof value === "string" || value instanceof URL ? (URL.parse(String(value)) ?? undefined) : undefined,
  },
  refreshMs: milliseconds({
    meaning: "How often the JWKS is fetched",
    byDefault: 300_000,
    min: 100,
    variable: "REFRESH_MS",
  }),
  timeoutMs: milliseconds({ meaning: "How long fetching may take", byDefault: 5_000, variable: "TIMEOUT_MS" }),
  maxStaleMs: {
    ...milliseconds({ meaning: "The age from which keys of the JWKS no longer hold", byDefault: 0 }),
    expects: `a number of milliseconds larger than refreshMs and timeoutMs together, and up to ${maxInt32}`,
    byDefault: undefined,
    defaultText: "none: the last keys hold without end",
    variable: "MAX_STALE_MS",
  },
  allowInsecureUrl: flag({ meaning: "Allows a JWKS over plain HTTP from another machine" }),
  env: environmentOption,
  log: logOption,
};

/** Where keys come from. */
const sources = ["keys", "keysFile", "jwksUrl"];

function keySetSettings(options: SessionKeySetOptions) {
  const all = onTopOfEnvironment(options, (env, given) => signatureFromEnv(keySetTable, env, given, sources));
  const { keys, keysFile, jwksUrl, allowInsecureUrl, log, ...times } = readOptions(
    "createSessionKeySet",
    keySetTable,
    all,
  );
  if (keys.length === 0 && keysFile === undefined && jwksUrl === undefined) {
    throw missingOption("keys", keySetTable.keys.expects, "or keysFile, or jwksUrl");
  }
  const given = keys.map((key, i) => readGivenKey(`keys[${i}]`, key));
  const local = [...given, ...(keysFile === undefined ? [] : readPublicKeyFile("keysFile", keysFile))];
  const twice = local.find(({ keyId }, i) => local.findIndex((other) => other.keyId === keyId) < i);
  if (twice !== undefined) throw wrongOption("keys", "keys with different ids", twice.keyId);
  if (jwksUrl !== undefined && !isTrusted(jwksUrl, allowInsecureUrl)) {
    throw wrongOption("jwksUrl", keySetTable.jwksUrl.expects, `${jwksUrl.protocol}//${jwksUrl.host}`);
  }
  if (jwksUrl !== undefined && (jwksUrl.username !== "" || jwksUrl.password !== "")) {
    const expected = "an address without a user name and password, which fetch does not take";
    throw wrongOptionShown("jwksUrl", expected, "one with them");
  }
  const { refreshMs, timeoutMs, maxStaleMs = Infinity } = times;
  // Keys that are fetched in good time must never count as stale.
  if (maxStaleMs <= refreshMs + timeoutMs) throw wrongOption("maxStaleMs", keySetTable.maxStaleMs.expects, maxStaleMs);
  return { ...times, local: index(local), url: jwksUrl, log: createTroubleLog<SignatureTrouble>(log) };
}

function isTrusted(url: URL, allowInsecureUrl: boolean): boolean {
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  return url.protocol === "https:" || (url.protocol === "http:" && (isLocal || allowInsecureUrl));
}
