import type { SessionActivityEvent } from "../../../gen/sessionactivity/v1/session_activity_pb.js";
import { errorMessage, errorName } from "../../base/errors.js";
import { createTroubleLog, type TroubleLog } from "../../base/log.js";
import { resolvesWithin } from "../../base/timing.js";
import type { DropReason, Publisher, PublisherProblem, PublisherStats } from "../../publishing/publisher.js";
import { type KafkaClient, loadKafkaClient, type NativeError } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { type KafkaRecord, type LinkObserver, ProducerLink } from "../client/producer-link.js";
import { dropReason, meansFatal } from "./drop-reason.js";
import { createLedger, type Ledger, type Settled } from "./ledger.js";
import { producerProperties } from "./producer-properties.js";
import { type KafkaPublisherOptions, type PublisherSettings, publisherSettings } from "./publisher-options.js";
import { createRecordEncoder, type EventRecord } from "./record-encoder.js";

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

/** How long a producer may take to stop, once it was told to drop what it holds. */
const stopTimeoutMs = 2_000;

/** An event is not taken. */
interface Refusal {
  readonly kind: "refused";
  readonly reason: DropReason;
}

// One of each for all events: in an outage there are many.
const closed: Refusal = { kind: "refused", reason: "closed" };
const queueFull: Refusal = { kind: "refused", reason: "queue_full" };
const invalidEvent: Refusal = { kind: "refused", reason: "invalid_event" };

class KafkaPublisher implements Publisher {
  readonly #client: KafkaClient;
  readonly #settings: PublisherSettings;
  readonly #log: TroubleLog<KafkaTrouble>;
  readonly #ledger: Ledger;
  readonly #encode: (event: SessionActivityEvent) => EventRecord;
  #link: ProducerLink<Settled>;
  #idempotent = true;
  #closing: Promise<PublisherStats> | undefined;

  constructor(client: KafkaClient, settings: PublisherSettings) {
    this.#client = client;
    this.#settings = settings;
    this.#log = createTroubleLog(settings.log);
    this.#ledger = createLedger({ topic: settings.topic }, this.#log);
    this.#encode = createRecordEncoder(settings, this.#log);
    try {
      this.#link = this.#connect();
    } catch (cause) {
      throw new Error(`The Kafka client refused its properties: ${errorMessage(cause)}`, { cause });
    }
  }

  publish(event: SessionActivityEvent, settled?: Settled): void {
    const admission = this.#admit(event);
    if (admission.kind === "refused") {
      this.#ledger.refuse(admission.reason, settled);
    } else {
      this.#ledger.accept(admission.bytes);
      this.#send(admission, settled);
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

  close(): Promise<PublisherStats> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  /** The event's record, or why it is not taken. */
  #admit(event: SessionActivityEvent): EventRecord | Refusal {
    const { maxQueuedEvents, maxQueuedBytes } = this.#settings;
    if (this.#closing !== undefined) return closed;
    if (this.#ledger.queued >= maxQueuedEvents) return queueFull;
    try {
      const record = this.#encode(event);
      return this.#ledger.queuedBytes + record.bytes > maxQueuedBytes ? queueFull : record;
    } catch (error) {
      // Its message may quote the event, so only its name is told.
      this.#log.warn("event_not_encoded", { error: errorName(error) }, "An event could not be encoded");
      return invalidEvent;
    }
  }

  #connect(): ProducerLink<Settled> {
    const producer = this.#client.createProducer(producerProperties(this.#settings, this.#idempotent));
    const observer: LinkObserver<Settled> = {
      failed: ({ message }) =>
        this.#log.error(
          "producer_not_started",
          { error: message },
          "The Kafka producer cannot start, all events are dropped: check its properties and the files that they name",
        ),
      reported: (error, bytes, settled) => this.#reported(error, bytes, settled),
      presumed: (bytes, settled) => this.#presumed(bytes, settled),
      resend: (record, settled) => this.#send(record, settled),
    };
    return new ProducerLink(producer, this.#log, observer, this.#settings.oauthToken);
  }

  /** Hands a record that is counted as queued to the producer. */
  #send(record: KafkaRecord, settled: Settled | undefined): void {
    const error = this.#link.send(this.#settings.topic, record, settled);
    if (error === undefined) return;
    // A producer that failed for good has not taken the record: its successor does.
    if (this.#isFatal(error) && this.#replaceLink()) this.#send(record, settled);
    else this.#drop(error, record.bytes, settled);
  }

  #reported(error: NativeError | null, bytes: number, settled: Settled | undefined): void {
    if (error === null) {
      this.#ledger.deliver(bytes, settled);
    } else {
      this.#drop(error, bytes, settled);
      if (this.#isFatal(error)) this.#replaceLink();
    }
  }

  /**
   * An idempotent producer takes a batch that waits to be sent again for delivered as soon as a later one is: the broker would
   * have refused that one otherwise. A topic that was deleted and created anew remembers nothing, and refuses nothing, so such
   * a batch may never have arrived. Nothing but the missing offset tells. Without idempotence it means nothing: with `acks` of
   * 0 no record has one.
   */
  #presumed(bytes: number, settled: Settled | undefined): void {
    if (this.#idempotent && isOn(this.#settings.properties["enable.idempotence"] ?? true))
      this.#ledger.drop("unconfirmed", bytes, settled);
    else this.#ledger.deliver(bytes, settled);
  }

  #drop(error: NativeError, bytes: number, settled: Settled | undefined): void {
    const name = this.#client.codeName(error.code);
    this.#ledger.drop(dropReason(name), bytes, settled, { error: name ?? error.code, message: error.message });
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
    this.#ledger.dropAll("fatal", dead.abandon());
    void dead.stop(stopTimeoutMs);
    return true;
  }

  async #shutDown(): Promise<PublisherStats> {
    await this.#link.drain(this.#settings.closeTimeoutMs);
    this.#ledger.dropAll("close_timeout", this.#link.abandon());
    await this.#link.stop(stopTimeoutMs);
    const stats = this.stats();
    this.#log.info(stats, "Kafka publisher closed");
    return stats;
  }
}

/** As librdkafka reads it. */
function isOn(value: string | number | boolean): boolean {
  return ["true", "t", "1"].includes(String(value).toLowerCase());
}
