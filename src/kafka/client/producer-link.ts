import type { TroubleLog } from "../../base/log.js";
import { within } from "../../base/within.js";
import type { LostEvents, Settled } from "../publisher/ledger.js";
import type { KafkaRecord } from "../publisher/record.js";
import { bridgeClientLog } from "./client-log.js";
import { connectWithoutBroker } from "./connect.js";
import { asNativeError, type NativeError, type NativeProducer, type NativeReport } from "./kafka-client.js";
import type { OAuthTokenProvider } from "./oauth-token.js";
import { createTokenKeeper, type TokenKeeper } from "./token-keeper.js";

/** The offset of a record that no broker has told one for. */
const noOffset = -1001;

/** How long a producer may take to stop, once it was told to drop what it holds. */
const stopTimeoutMs = 2_000;

/** Told what becomes of the records that a link has taken. None of these may throw. */
export interface LinkObserver {
  /** A record arrived, or was given up with an error. */
  reported(error: NativeError | null, bytes: number, settled: Settled | undefined): void;
  /** A record is said to have arrived, but not where in the topic. */
  presumed(bytes: number, settled: Settled | undefined): void;
  /** A record that waited for the producer to start is to be sent now. */
  resend(record: KafkaRecord, settled: Settled | undefined): void;
}

/** One native producer, from its start to its end, and what it holds. */
export interface ProducerLink {
  /** Resolves when the producer can take records, or never will. It does not wait for a broker. */
  readonly started: Promise<void>;
  /** Whether it could not start: then it takes no record. */
  readonly failed: boolean;
  /** Takes a record, or answers with the error for which it was not taken. Never throws. */
  send(topic: string, record: KafkaRecord, settled: Settled | undefined): NativeError | undefined;
  /** Delivers what it holds: resolves when that is done or the time is over. */
  drain(timeoutMs: number): Promise<void>;
  /** Gives up what it holds, and reports nothing from here on. */
  abandon(): LostEvents;
  /** Stops an abandoned producer. Always resolves. */
  stop(): Promise<void>;
}

/**
 * Takes over a native producer that is not connected yet, and starts it. What librdkafka finds wrong only now, such as
 * properties that contradict each other, is logged as an error, and every record is refused.
 */
export function createProducerLink(
  producer: NativeProducer,
  log: TroubleLog,
  observer: LinkObserver,
  oauthToken?: OAuthTokenProvider,
): ProducerLink {
  return new Link(producer, createTokenKeeper(producer, oauthToken, log), log, observer);
}

interface WaitingRecord {
  readonly record: KafkaRecord;
  readonly settled: Settled | undefined;
}

class Link implements ProducerLink {
  readonly started: Promise<void>;
  readonly #producer: NativeProducer;
  readonly #tokens: TokenKeeper;
  readonly #observer: LinkObserver;
  /** What came before the producer had started; undefined from then on. */
  #waiting: WaitingRecord[] | undefined = [];
  #failure: NativeError | undefined;
  #abandoned = false;
  #inFlight = 0;
  #inFlightBytes = 0;
  readonly #idle: (() => void)[] = [];
  /**
   * Where an event's outcome is asked for, a number goes along as the client's opaque. An opaque leaks where no report comes:
   * then let it be a number, and not a callback with all that it holds.
   */
  readonly #asked: Map<number, Settled> = new Map();
  #lastAsked = 0;

  constructor(producer: NativeProducer, tokens: TokenKeeper, log: TroubleLog, observer: LinkObserver) {
    this.#producer = producer;
    this.#tokens = tokens;
    this.#observer = observer;
    bridgeClientLog(producer, log, tokens);
    producer.on("delivery-report", (error, report) => this.#report(error, report));
    this.started = this.#start(log);
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  send(topic: string, record: KafkaRecord, settled: Settled | undefined): NativeError | undefined {
    if (this.#waiting !== undefined) {
      this.#waiting.push({ record, settled });
      return undefined;
    }
    if (this.#failure !== undefined) return this.#failure;
    try {
      this.#produce(topic, record, settled);
      return undefined;
    } catch (error) {
      return asNativeError(error);
    }
  }

  async drain(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    await within(timeoutMs, this.started);
    const left = Math.max(0, Math.ceil(end - performance.now()));
    if (this.#inFlight === 0 || left === 0) return;
    // The counter decides, and not the flush: reports trail it, since only 100 come in one turn of the event loop.
    const idle = new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
    try {
      this.#producer.flush(left, () => {});
      await within(left, idle);
    } catch {
      // The client thinks that it is not connected: then nothing more will be delivered.
    }
  }

  abandon(): LostEvents {
    const waiting = this.#waiting ?? [];
    const lost: LostEvents = {
      count: this.#inFlight + waiting.length,
      bytes: waiting.reduce((sum, { record }) => sum + record.bytes, this.#inFlightBytes),
      settled: [...this.#asked.values(), ...waiting.flatMap(({ settled }) => settled ?? [])],
    };
    this.#abandoned = true;
    this.#waiting = undefined;
    this.#asked.clear();
    return lost;
  }

  async stop(): Promise<void> {
    try {
      await within(stopTimeoutMs, this.#disconnect());
    } catch {
      // It was not connected: there is nothing to stop.
    }
  }

  async #start(log: TroubleLog): Promise<void> {
    this.#failure = await start(this.#producer);
    if (this.#failure === undefined) {
      this.#tokens.start();
    } else {
      const { message } = this.#failure;
      log.error(
        "kafka start",
        { error: message },
        "The Kafka producer cannot start, all events are dropped: check its properties and the files that they name",
      );
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const { record, settled } of waiting) this.#observer.resend(record, settled);
  }

  async #disconnect(): Promise<void> {
    await this.started;
    this.#tokens.stop();
    await new Promise<void>((resolve) => {
      this.#producer.disconnect(0, () => resolve());
    });
  }

  #produce(topic: string, { value, key, headers, bytes }: KafkaRecord, settled: Settled | undefined): void {
    if (settled === undefined) {
      this.#producer.produce(topic, null, value, key, null, undefined, headers);
    } else {
      const asked = this.#lastAsked + 1;
      this.#producer.produce(topic, null, value, key, null, asked, headers);
      this.#asked.set(asked, settled);
      this.#lastAsked = asked;
    }
    this.#inFlight += 1;
    this.#inFlightBytes += bytes;
  }

  #report(error: NativeError | null, report: NativeReport): void {
    // Late reports of an abandoned producer: its events are counted already.
    if (this.#abandoned) return;
    const bytes = report.size + (report.key?.length ?? 0);
    this.#inFlight -= 1;
    this.#inFlightBytes -= bytes;
    const settled = report.opaque === undefined ? undefined : this.#take(Number(report.opaque));
    if (error === null && report.offset === noOffset) this.#observer.presumed(bytes, settled);
    else this.#observer.reported(error, bytes, settled);
    if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(asked: number): Settled | undefined {
    const settled = this.#asked.get(asked);
    this.#asked.delete(asked);
    return settled;
  }
}

/** Starts it: from then on events queue in librdkafka and go out when a broker appears. */
async function start(producer: NativeProducer): Promise<NativeError | undefined> {
  return (await connectWithoutBroker(producer)) ?? pollInBackground(producer);
}

function pollInBackground(producer: NativeProducer): NativeError | undefined {
  try {
    producer.setPollInBackground(true);
    return undefined;
  } catch (error) {
    return asNativeError(error);
  }
}
