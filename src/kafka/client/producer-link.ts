import type { TroubleLog } from "../../base/log.js";
import { resolvesWithin } from "../../base/timing.js";
import { bridgeClientLog } from "./client-log.js";
import { connectWithoutBroker } from "./connect.js";
import {
  asNativeError,
  type NativeError,
  type NativeHeader,
  type NativeProducer,
  type NativeReport,
} from "./kafka-client.js";
import type { KafkaTrouble } from "./kafka-troubles.js";
import type { OAuthTokenProvider } from "./oauth-token.js";
import { holdingThread } from "./pool-threads.js";
import { createTokenKeeper, type TokenKeeper } from "./token-keeper.js";

/** For how long one flush holds a thread. The others that flush have theirs in between. */
const flushSliceMs = 100;
/** How long a broker has to tell about the cluster, and how long to wait before it is asked again. */
const hurryTimeoutMs = 200;
const hurryPauseMs = 20;

/** The offset of a record that no broker has told one for. */
const noOffset = -1001;

/** What is sent. It has no time of its own: event time lives in the value. */
export interface KafkaRecord {
  readonly value: Uint8Array | null;
  readonly key: RecordKey | undefined;
  readonly headers: readonly NativeHeader[];
  /** Of value and key: what the bound on bytes counts. */
  readonly bytes: number;
}

/** Bytes, or the empty string: the client takes empty bytes for no key at all. */
export type RecordKey = Uint8Array | "";

/**
 * Told what becomes of the records that a link has taken. With each comes the note that was sent along with it. None of these
 * may throw.
 */
export interface LinkObserver<Note> {
  /**
   * The producer cannot start, for example because of properties that contradict each other. Every record is refused. Those
   * that waited are to be sent again after this.
   */
  failed(error: NativeError): void;
  /** A record arrived, or was given up with an error. */
  reported(error: NativeError | null, bytes: number, note: Note | undefined): void;
  /** A record is said to have arrived, but not where in the topic. */
  presumed(bytes: number, note: Note | undefined): void;
  /** A record that waited for the producer to start is to be sent now. */
  resend(record: KafkaRecord, note: Note | undefined): void;
}

/** Records that are given up together. */
export interface LostRecords<Note> {
  readonly count: number;
  readonly bytes: number;
  /** The notes of those that had one. */
  readonly notes: Iterable<Note>;
}

interface WaitingRecord<Note> {
  readonly record: KafkaRecord;
  readonly note: Note | undefined;
}

/**
 * One native producer, from its start to its end, and what it holds. It takes over a producer that is not connected yet, and
 * starts it. What librdkafka finds wrong only then is told to the observer.
 */
export class ProducerLink<Note> {
  /** Resolves when the producer can take records, or never will. It does not wait for a broker. */
  readonly started: Promise<void>;
  readonly #producer: NativeProducer;
  readonly #tokens: TokenKeeper;
  readonly #observer: LinkObserver<Note>;
  /** What came before the producer had started; undefined from then on. */
  #waiting: WaitingRecord<Note>[] | undefined = [];
  #failure: NativeError | undefined;
  #abandoned = false;
  #inFlight = 0;
  #inFlightBytes = 0;
  readonly #idle: (() => void)[] = [];
  #flushing = false;
  #flushUntil = 0;
  #hurrying = false;
  #hasDelivered = false;
  /**
   * For a record with a note, a number goes along as the client's opaque. An opaque leaks if no report comes: then let it be a
   * number, and not a callback with all that it holds.
   */
  readonly #notes: Map<number, Note> = new Map();
  #lastNoted = 0;

  constructor(
    producer: NativeProducer,
    log: TroubleLog<KafkaTrouble>,
    observer: LinkObserver<Note>,
    oauthToken: OAuthTokenProvider | undefined,
  ) {
    this.#producer = producer;
    this.#tokens = createTokenKeeper(producer, oauthToken, log);
    this.#observer = observer;
    bridgeClientLog(producer, log, this.#tokens);
    producer.on("delivery-report", (error, report) => this.#report(error, report));
    this.started = this.#start();
  }

  /** Whether it could not start: then it takes no record. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Takes a record, or answers with the error for which it was not taken. Never throws. */
  send(topic: string, record: KafkaRecord, note: Note | undefined): NativeError | undefined {
    if (this.#waiting !== undefined) {
      this.#waiting.push({ record, note });
      return undefined;
    }
    if (this.#failure !== undefined) return this.#failure;
    try {
      this.#produce(topic, record, note);
      return undefined;
    } catch (error) {
      return asNativeError(error);
    }
  }

  /** Delivers what it holds: resolves when that is done or the time is over. */
  async drain(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    await resolvesWithin(timeoutMs, this.started);
    const left = Math.max(0, Math.ceil(end - performance.now()));
    if (this.#inFlight === 0 || left === 0) return;
    // The counter decides, and not the flush: reports trail it, since only 100 come in one turn of the event loop.
    const idle = new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
    try {
      const flushed = this.#flush(end);
      if (!this.#hasDelivered) void this.#hurry(end);
      await resolvesWithin(left, Promise.race([idle, flushed.then(() => idle)]));
    } catch {
      // The client thinks that it is not connected: then nothing more will be delivered.
    }
  }

  /** Gives up what it holds, and reports nothing of that any more. Only records with a note are taken after it. */
  abandon(): LostRecords<Note> {
    const waiting = this.#waiting ?? [];
    const lost: LostRecords<Note> = {
      count: this.#inFlight + waiting.length,
      bytes: waiting.reduce((sum, { record }) => sum + record.bytes, this.#inFlightBytes),
      notes: [...this.#notes.values(), ...waiting.flatMap(({ note }) => note ?? [])],
    };
    this.#abandoned = true;
    this.#waiting = undefined;
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
    this.#notes.clear();
    return lost;
  }

  /** Stops an abandoned producer. Resolves when that is done or the time is over. */
  async stop(timeoutMs: number): Promise<void> {
    try {
      await resolvesWithin(timeoutMs, this.#disconnect());
    } catch {
      // It was not connected: there is nothing to stop.
    }
  }

  async #start(): Promise<void> {
    this.#failure = (await connectWithoutBroker(this.#producer)) ?? pollInBackground(this.#producer);
    if (this.#failure === undefined) this.#tokens.start();
    else this.#observer.failed(this.#failure);
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const { record, note } of waiting) this.#observer.resend(record, note);
  }

  /** Makes batches go without waiting for more, for as long as the last who asked for it wants. Rejects if nothing can go. */
  async #flush(end: number): Promise<void> {
    this.#flushUntil = Math.max(this.#flushUntil, end);
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      while (this.#inFlight > 0 && performance.now() < this.#flushUntil) await this.#flushSlice();
    } finally {
      this.#flushing = false;
    }
  }

  #flushSlice(): Promise<void> {
    return this.#holdingThread((done) => this.#producer.flush(flushSliceMs, done));
  }

  /** Does nothing if there is nothing left to deliver when its turn comes: then the producer may have been stopped. */
  #holdingThread(work: (done: () => void) => unknown): Promise<void> {
    return holdingThread(
      () =>
        new Promise((resolve) => {
          if (this.#inFlight > 0) work(resolve);
          else resolve();
        }),
    );
  }

  /**
   * Makes a new producer deliver at once. It needs an id from a broker, and may ask for it just when librdkafka replaces its
   * first connection by another. Then it asks again 500 ms later, or when a broker tells about the cluster: so let one tell.
   */
  async #hurry(end: number): Promise<void> {
    if (this.#hurrying) return;
    this.#hurrying = true;
    while (this.#inFlight > 0 && !this.#hasDelivered && !this.#abandoned && performance.now() < end) {
      await this.#askForCluster();
      await new Promise((resolve) => {
        setTimeout(resolve, hurryPauseMs);
      });
    }
    this.#hurrying = false;
  }

  #askForCluster(): Promise<void> {
    return this.#holdingThread((done) => this.#producer.getMetadata({ timeout: hurryTimeoutMs }, done));
  }

  async #disconnect(): Promise<void> {
    await this.started;
    this.#tokens.stop();
    await new Promise<void>((resolve) => {
      this.#producer.disconnect(0, () => resolve());
    });
  }

  #produce(topic: string, { value, key, headers, bytes }: KafkaRecord, note: Note | undefined): void {
    if (note === undefined) {
      this.#producer.produce(topic, null, value, key, null, undefined, headers);
    } else {
      const noted = this.#lastNoted + 1;
      this.#producer.produce(topic, null, value, key, null, noted, headers);
      this.#notes.set(noted, note);
      this.#lastNoted = noted;
    }
    this.#inFlight += 1;
    this.#inFlightBytes += bytes;
  }

  #report(error: NativeError | null, report: NativeReport): void {
    const note = report.opaque === undefined ? undefined : this.#take(Number(report.opaque));
    // Late reports of an abandoned producer: these records are counted already, and nobody knows their notes any more.
    if (this.#abandoned && note === undefined) return;
    const bytes = report.size + (report.key?.length ?? 0);
    this.#inFlight -= 1;
    this.#inFlightBytes -= bytes;
    this.#hasDelivered ||= error === null;
    if (error === null && report.offset === noOffset) this.#observer.presumed(bytes, note);
    else this.#observer.reported(error, bytes, note);
    if (this.#inFlight === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(noted: number): Note | undefined {
    const note = this.#notes.get(noted);
    this.#notes.delete(noted);
    return note;
  }
}

/** From then on what is sent queues in librdkafka, and goes out when a broker appears. */
function pollInBackground(producer: NativeProducer): NativeError | undefined {
  try {
    producer.setPollInBackground(true);
    return undefined;
  } catch (error) {
    return asNativeError(error);
  }
}
