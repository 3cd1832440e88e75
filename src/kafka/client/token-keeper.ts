import { describeFailure } from "../../base/errors.js";
import type { TroubleLog } from "../../base/log.js";
import { resolvesWithin } from "../../base/timing.js";
import type { NativeClient } from "./kafka-client.js";
import type { KafkaTrouble } from "./kafka-troubles.js";
import { type OAuthToken, type OAuthTokenProvider, readToken } from "./oauth-token.js";

/** How long a provider may take to answer. */
const answerMs = 30_000;
/** The time before a second attempt; it doubles with each one after that. */
const backoffMs = 1_000;
const maxBackoffMs = 30_000;
/** How long a token that the broker refused is given, lest a broker that refuses all makes us ask for ever more. */
const refusedMs = 10_000;
/** A provider that answers with a token about to expire is not asked more often than this. */
const minLifeMs = 500;
/** The longest time that Node's timers know. */
const maxTimerMs = 2_147_483_647;

/** Keeps one client in valid tokens. */
export interface TokenKeeper {
  /** Asks for the first one. The client must be connected, in the sense of `connectWithoutBroker`. */
  start(): void;
  /** A broker has refused the last one. */
  loginRefused(): void;
  /** Asks for none any more. Call it before the client is disconnected. */
  stop(): void;
}

/**
 * Creates a keeper; without a provider, one that does nothing.
 *
 * It has timers of its own, though the client has a callback for this: that one comes up to a second late, which a token of
 * some seconds does not survive, and it is lost if it fires before the client listens.
 */
export function createTokenKeeper(
  client: NativeClient,
  provider: OAuthTokenProvider | undefined,
  log: TroubleLog<KafkaTrouble>,
): TokenKeeper {
  return provider === undefined ? { start() {}, loginRefused() {}, stop() {} } : new Keeper(client, provider, log);
}

interface Failure {
  readonly problem: string;
}

class Keeper implements TokenKeeper {
  readonly #client: NativeClient;
  readonly #provider: OAuthTokenProvider;
  readonly #log: TroubleLog<KafkaTrouble>;
  #timer: NodeJS.Timeout | undefined;
  #askedAt = 0;
  #dueAt = 0;
  #isAsking = false;
  #failures = 0;
  #stopped = false;
  #halt: () => void = () => {};
  readonly #halted: Promise<void>;

  constructor(client: NativeClient, provider: OAuthTokenProvider, log: TroubleLog<KafkaTrouble>) {
    this.#client = client;
    this.#provider = provider;
    this.#log = log;
    this.#halted = new Promise((resolve) => {
      this.#halt = resolve;
    });
  }

  start(): void {
    void this.#renew();
  }

  loginRefused(): void {
    // If the last attempt failed, the next one is due soon anyhow.
    if (this.#isAsking || this.#failures > 0) return;
    const at = Math.max(performance.now(), this.#askedAt + refusedMs);
    // A token that lives for seconds is renewed before that anyhow.
    if (at < this.#dueAt) this.#renewIn(at - performance.now());
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    // An answer that is waited for would keep the process from ending.
    this.#halt();
  }

  #renewIn(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#dueAt = performance.now() + ms;
    this.#timer = setTimeout(() => void this.#renew(), Math.min(ms, maxTimerMs));
    this.#timer.unref();
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return;
    this.#askedAt = performance.now();
    this.#isAsking = true;
    const token = await this.#ask();
    this.#isAsking = false;
    if (this.#stopped) return;
    const failure = "problem" in token ? token : this.#use(token);
    if (failure !== undefined) this.#failed(failure);
  }

  #failed(failure: Failure): void {
    this.#failures += 1;
    const nextMs = Math.min(maxBackoffMs, backoffMs * 2 ** (this.#failures - 1));
    this.#log.error(
      "kafka_oauth_token",
      { ...failure, failures: this.#failures, nextAttemptMs: nextMs },
      "oauthToken gave no token to log in to Kafka with: it is asked again",
    );
    this.#renewIn(nextMs);
  }

  /** The token, or what may be said about why there is none. */
  async #ask(): Promise<OAuthToken | Failure> {
    try {
      let answer: unknown;
      const asked = async (): Promise<void> => {
        answer = await this.#provider();
      };
      if (!(await resolvesWithin(answerMs, Promise.race([asked(), this.#halted]))))
        return { problem: `it did not answer in ${answerMs} ms` };
      const token = readToken(answer);
      return typeof token === "string" ? { problem: `its answer is not a token: ${token}` } : token;
    } catch (error) {
      // Its message may hold a token, so it is not told.
      return { problem: "it failed", ...describeFailure(error) };
    }
  }

  #use({ value, lifetimeMs, principal, extensions = {} }: OAuthToken): Failure | undefined {
    try {
      this.#client.getClient().setOAuthBearerToken(value, lifetimeMs, principal, Object.entries(extensions).flat());
      this.#failures = 0;
      this.#renewIn(Math.max(minLifeMs, 0.8 * (lifetimeMs - Date.now())));
      return undefined;
    } catch {
      // What the client says may quote the token.
      return { problem: "the Kafka client refused the token" };
    }
  }
}
