import { errorMessage } from "../../base/errors.js";
import { createTroubleLog, type TroubleLog } from "../../base/log.js";
import { resolvesWithin } from "../../base/timing.js";
import { type EventRecord, isEventRecord } from "../../publishing/event-record.js";
import type { DropReason, Publisher, PublisherProblem, PublisherStats, Settled } from "../../publishing/publisher.js";
import type { RunRecordSettled } from "../../publishing/run-record.js";
import { type KafkaClient, loadKafkaClient, type NativeError } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type KafkaRecord, type LinkObserver, type LostRecords, ProducerLink } from "../client/producer-link.js";
import { dropReason, meansFatal } from "./drop-reason.js";
import { createKafkaRecords, kafkaRecordOfRun } from "./kafka-record.js";
import { type Asker, createLedger, type Ledger } from "./ledger.js";
import { producerProperties } from "./producer-properties.js";
import { type KafkaPublisherOptions, type PublisherSettings, publisherSettings } from "./publisher-options.js";

/**
 * Creates a publisher that writes events to Kafka: the value is the event's binary form, and the header `content-type` is
 * `application/protobuf`.
 *
 * It never waits for a broker. If none can be reached, events queue up to the bounds and go out when one appears. Every
 * event that is not delivered is counted by its reason, and each reason is reported once a minute at most. Delivery is
 * idempotent, acknowledged by all in-sync replicas, and at least once: readers drop duplicates by `event_id`.
 *
 * Call `close()` before the process ends: it goes on delivering for `closeTimeoutMs`, counts the rest as dropped, and always
 * resolves. Without it the process does not end by itself.
 *
 * Throws a `TypeError` for a wrong option, a `KafkaClientError` if the Kafka client (`@confluentinc/kafka-javascript`) cannot be
 * used, as in a worker thread, and an `Error` if librdkafka refuses a property. `publish` never throws.
 */
export function createKafkaPublisher(options: KafkaPublisherOptions): Publisher {
  const settings = publisherSettings(options);
  return new KafkaPublisher(loadKafkaClient(), settings);
}

/** Creates a publisher that takes run records, too, if there is a topic for them. Throws as {@link createKafkaPublisher} does. */
export function createPublisherWithRuns(options: KafkaPublisherOptions, runsTopic: string | undefined): Publisher {
  const settings = publisherSettings(options);
  return new KafkaPublisher(loadKafkaClient(), settings, runsTopic);
}

/** How long a producer may take to stop, once it was told to drop what it holds. */
const stopTimeoutMs = 2_000;
/** How long the last run records may take, if the events left them no time. */
const lastRecordsMs = 1_000;

/** A run record on its way. */
interface SentRun {
  readonly topic: string;
  readonly bytes: number;
  readonly settled: RunRecordSettled;
}

/** Who is told what becomes of a Kafka record. */
type Note = Asker | SentRun;

class KafkaPublisher implements Publisher {
  readonly #client: KafkaClient;
  readonly #settings: PublisherSettings;
  readonly #log: TroubleLog<KafkaTrouble>;
  readonly #ledger: Ledger;
  readonly #kafkaRecordOf: (record: EventRecord) => KafkaRecord;
  #link: ProducerLink<Note>;
  #idempotent = true;
  #closing: Promise<PublisherStats> | undefined;
  #takesRuns = true;
  /** Absent without a topic for runs. */
  readonly publishRun?: NonNullable<Publisher["publishRun"]>;

  constructor(client: KafkaClient, settings: PublisherSettings, runsTopic?: string) {
    this.#client = client;
    if (runsTopic !== undefined)
      this.publishRun = (record, settled) => this.#sendRun(runsTopic, kafkaRecordOfRun(record), settled);
    this.#settings = settings;
    this.#log = createTroubleLog(settings.log);
    this.#ledger = createLedger({ topic: settings.topic }, this.#log);
    this.#kafkaRecordOf = createKafkaRecords(settings, this.#log);
    try {
      this.#link = this.#connect();
    } catch (cause) {
      throw new Error(`The Kafka client refused its properties: ${errorMessage(cause)}`, { cause });
    }
  }

  publish(record: EventRecord, settled?: Settled): void {
    const asker = settled && { record, settled };
    const refusal = this.#refusalOf(record);
    if (refusal !== undefined) {
      this.#ledger.refuse(refusal, asker);
      return;
    }
    const kafkaRecord = this.#kafkaRecordOf(record);
    if (this.#ledger.queuedBytes + kafkaRecord.bytes > this.#settings.maxQueuedBytes) {
      this.#ledger.refuse("queue_full", asker);
    } else {
      this.#ledger.accept(kafkaRecord.bytes);
      this.#send(kafkaRecord, asker);
    }
  }

  async flush(timeoutMs: number): Promise<void> {
    if (this.#closing === undefined) await this.#link.drain(timeoutMs);
    else await resolvesWithin(timeoutMs, this.#closing);
  }

  problem(): PublisherProblem | undefined {
    if (this.#link.failed) return "failed";
    const { maxQueuedEvents, maxQueuedBytes } = this.#settings;
    const isFull = this.#ledger.queued >= maxQueuedEvents || this.#ledger.queuedBytes >= maxQueuedBytes;
    return isFull ? "queue_full" : undefined;
  }

  stats(): PublisherStats {
    return this.#ledger.stats();
  }

  close(lastly?: () => Promise<void>): Promise<PublisherStats> {
    this.#closing ??= this.#shutDown(lastly);
    return this.#closing;
  }

  /** Why a record is not taken, whatever its size. */
  #refusalOf(record: unknown): DropReason | undefined {
    if (this.#closing !== undefined) return "closed";
    if (this.#ledger.queued >= this.#settings.maxQueuedEvents) return "queue_full";
    if (isEventRecord(record)) return undefined;
    const message = "publish() was given something that is not an EventRecord: see createEventRecord";
    this.#log.warn("not_a_record", { got: typeof record }, message);
    return "invalid_event";
  }

  #connect(): ProducerLink<Note> {
    const producer = this.#client.createProducer(producerProperties(this.#settings, this.#idempotent));
    const observer: LinkObserver<Note> = {
      failed: ({ message }) =>
        this.#log.error(
          "producer_not_started",
          { error: message },
          "The Kafka producer cannot start, all events are dropped: check its properties and the files that they name",
        ),
      reported: (error, bytes, note) => this.#reported(error, bytes, note),
      presumed: (bytes, note) => this.#presumed(bytes, note),
      resend: (record, note) => {
        if (isRun(note)) this.#sendRun(note.topic, record, note.settled);
        else this.#send(record, note);
      },
    };
    return new ProducerLink(producer, this.#log, observer, this.#settings.oauthToken);
  }

  /** Hands a record that is counted as queued to the producer. */
  #send(record: KafkaRecord, asker: Asker | undefined): void {
    const error = this.#link.send(this.#settings.topic, record, asker);
    if (error === undefined) return;
    // A producer that failed for good has not taken the record: its successor does.
    if (this.#isFatal(error) && this.#replaceLink()) this.#send(record, asker);
    else this.#drop(error, record.bytes, asker);
  }

  /** Run records are few, and neither bounded nor counted with the events. */
  #sendRun(topic: string, record: KafkaRecord, settled: RunRecordSettled): void {
    const { bytes } = record;
    const error = this.#takesRuns ? this.#link.send(topic, record, { topic, bytes, settled }) : "closed";
    if (error === "closed") settled(error);
    else if (error !== undefined) settled(this.#reasonOf(error));
  }

  #reported(error: NativeError | null, bytes: number, note: Note | undefined): void {
    if (isRun(note)) note.settled(error === null ? "delivered" : this.#reasonOf(error));
    else if (error === null) this.#ledger.deliver(bytes, note);
    else this.#drop(error, bytes, note);
    if (error !== null && this.#isFatal(error)) this.#replaceLink();
  }

  /**
   * An idempotent producer takes a batch that waits to be sent again for delivered as soon as a later one is: the broker would
   * have refused that one otherwise. A topic that was deleted and created anew remembers nothing, and refuses nothing, so such
   * a batch may never have arrived. Nothing but the missing offset tells. Without idempotence it means nothing: with `acks` of
   * 0 no record has one.
   */
  #presumed(bytes: number, note: Note | undefined): void {
    const isDoubtful = this.#idempotent && isOn(this.#settings.properties["enable.idempotence"] ?? true);
    if (isRun(note)) note.settled(isDoubtful ? "unconfirmed" : "delivered");
    else if (isDoubtful) this.#ledger.drop("unconfirmed", bytes, note);
    else this.#ledger.deliver(bytes, note);
  }

  #giveUp(reason: DropReason, { count, bytes, notes }: LostRecords<Note>): void {
    const runs: SentRun[] = [];
    const askers: Asker[] = [];
    for (const note of notes) {
      if (isRun(note)) runs.push(note);
      else askers.push(note);
    }
    const runBytes = runs.reduce((sum, run) => sum + run.bytes, 0);
    this.#ledger.dropAll(reason, { count: count - runs.length, bytes: bytes - runBytes, notes: askers });
    for (const { settled } of runs) settled(reason);
  }

  #reasonOf({ code }: NativeError): DropReason {
    return dropReason(this.#client.codeName(code));
  }

  #drop(error: NativeError, bytes: number, asker: Asker | undefined): void {
    const name = this.#client.codeName(error.code);
    this.#ledger.drop(dropReason(name), bytes, asker, { error: name ?? error.code, message: error.message });
  }

  #isFatal(error: NativeError): boolean {
    return meansFatal(this.#client.codeName(error.code));
  }

  /**
   * Idempotence has states that a producer never leaves, for example after the right to it was taken away. Its successor does
   * without, and so has no such states. What was in flight cannot be known any more.
   */
  #replaceLink(): boolean {
    if (!this.#idempotent || this.#closing !== undefined) return false;
    this.#idempotent = false;
    const dead = this.#link;
    try {
      this.#link = this.#connect();
    } catch (error) {
      const details = { error: errorMessage(error) };
      this.#log.error("producer_not_replaced", details, "The Kafka producer failed for good and cannot be replaced");
      return false;
    }
    this.#log.error(
      "producer_replaced",
      {},
      "The Kafka producer failed for good and was replaced by one without idempotence",
    );
    this.#giveUp("fatal", dead.abandon());
    void dead.stop(stopTimeoutMs);
    return true;
  }

  async #shutDown(lastly: (() => Promise<void>) | undefined): Promise<PublisherStats> {
    const { closeTimeoutMs } = this.#settings;
    const endsAt = performance.now() + closeTimeoutMs;
    await this.#link.drain(closeTimeoutMs);
    this.#giveUp("close_timeout", this.#link.abandon());
    if (lastly !== undefined) await this.#sendLast(lastly, Math.max(endsAt - performance.now(), lastRecordsMs));
    this.#takesRuns = false;
    await this.#link.stop(stopTimeoutMs);
    const stats = this.stats();
    this.#log.info(stats, "Kafka publisher closed");
    return stats;
  }

  /** What became of the events is decided: now their run can say so. */
  async #sendLast(lastly: () => Promise<void>, timeoutMs: number): Promise<void> {
    const done = lastly();
    void this.#link.drain(timeoutMs);
    await resolvesWithin(timeoutMs, done);
    this.#giveUp("close_timeout", this.#link.abandon());
  }
}

function isRun(note: Note | undefined): note is SentRun {
  return note !== undefined && "topic" in note;
}

/** As librdkafka reads it. */
function isOn(value: string | number | boolean): boolean {
  return ["true", "t", "1"].includes(String(value).toLowerCase());
}
