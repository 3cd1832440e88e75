import { setTimeout as delay } from "node:timers/promises";
import { errorMessage } from "../../base/errors.js";
import type { TroubleLog } from "../../base/log.js";
import { resolvesWithin } from "../../base/timing.js";
import { bridgeClientLog } from "../client/client-log.js";
import { connectWithoutBroker, disconnectConsumer } from "../client/connect.js";
import {
  asNativeError,
  type KafkaClient,
  type NativeConsumer,
  type NativeError,
  type NativeMessage,
  type NativeOffset,
  type NativePartition,
  type NativePlace,
  type NativeWatermarks,
} from "../client/kafka-client.js";
import { kafkaFailure } from "../client/kafka-failure.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import { createTokenKeeper, type TokenKeeper } from "../client/token-keeper.js";
import { committedOffsets, watermarksOf } from "./client-answers.js";
import type { ConsumerSettings } from "./consumer-options.js";
import { consumerProperties, consumerTopicProperties } from "./consumer-properties.js";

/** How many records are fetched at once: enough to be fast, and few enough for the main thread to take in one go. */
const fetchCount = 100;
/** The longest time without asking for records, which is also how the group knows that this member lives. */
const pollMs = 500;
/** How long partitions that move away wait for the handlers that are at work on them. */
const handOverMs = 5_000;

/** What to do if no records can be read, by librdkafka's names of errors. */
const consumeTroubles: Readonly<Record<string, { readonly kind: KafkaTrouble; readonly advice: string }>> = {
  ERR_GROUP_AUTHORIZATION_FAILED: {
    kind: "consume_group_unauthorized",
    advice: ": Kafka does not allow this client's user into the group; grant it READ on the group",
  },
  ERR_TOPIC_AUTHORIZATION_FAILED: {
    kind: "consume_topic_unauthorized",
    advice: ": Kafka does not allow this client's user to read the topic; grant it READ on the topic",
  },
  ERR_UNKNOWN_TOPIC_OR_PART: { kind: "consume_unknown_topic", advice: ": the topic does not exist yet" },
};

/** What a commit fails with if no broker has answered it, by librdkafka's names of errors. */
const unanswered: ReadonlySet<string | undefined> = new Set([
  "ERR__ALL_BROKERS_DOWN",
  "ERR__RESOLVE",
  "ERR__TIMED_OUT",
  "ERR__TIMED_OUT_QUEUE",
  "ERR__TRANSPORT",
  "ERR__WAIT_COORD",
]);

/** The end of a partition, as librdkafka calls it. */
const endOffset = -1;

/** Told what happens to a member. None of these may throw or reject. */
export interface MemberObserver {
  /** A partition is this member's. The group goes on there with this record; undefined if it has not begun, or nobody knows. */
  assigned(partition: number, next: number | undefined): void;
  /** Resolves when nothing is at work on the partition any more. */
  revoked(partition: number): Promise<void>;
  /** The next records are fetched when it resolves. */
  received(messages: readonly NativeMessage[]): Promise<void>;
  /** The member will never get a record again. */
  failed(error: Error): void;
}

/** One member of a consumer group. It waits for no broker. */
export class GroupMember {
  readonly #consumer: NativeConsumer;
  readonly #client: KafkaClient;
  readonly #topic: string;
  readonly #groupId: string;
  readonly #startAt: ConsumerSettings["startAt"];
  readonly #log: TroubleLog<KafkaTrouble>;
  readonly #observer: MemberObserver;
  readonly #tokens: TokenKeeper;
  readonly #polling: Promise<void>;
  /** Resolves when librdkafka has been answered on what it last gave or took. */
  #rebalanced: Promise<void> = Promise.resolve();
  #leaving = false;
  #ended = false;
  #cooperative = true;
  #joined = false;
  #blocked = false;
  #loginRefused = false;
  #hasStored = false;
  /** Whether records have come in since they were last asked for. */
  #arrived = false;
  #wake: (() => void) | undefined;
  #committed: ((isAnswered: boolean) => void) | undefined;

  /** Joins the group. Throws if librdkafka refuses a property. */
  constructor(
    client: KafkaClient,
    settings: ConsumerSettings,
    log: TroubleLog<KafkaTrouble>,
    observer: MemberObserver,
  ) {
    this.#client = client;
    this.#topic = settings.topic;
    this.#groupId = settings.groupId;
    this.#startAt = settings.startAt;
    this.#log = log;
    this.#observer = observer;
    const callbacks = {
      rebalance_cb: (change: NativeError, partitions: NativePartition[]) => {
        this.#rebalanced = this.#rebalance(change, partitions);
      },
      offset_commit_cb: (error: NativeError | null | undefined) => this.#onCommit(error),
      queue_non_empty_cb: () => this.#onArrival(),
    };
    const properties = { ...consumerProperties(settings), ...callbacks };
    this.#consumer = client.createConsumer(properties, consumerTopicProperties);
    this.#tokens = createTokenKeeper(this.#consumer, settings.oauthToken, log);
    bridgeClientLog(this.#consumer, log, {
      loginRefused: () => {
        this.#loginRefused = true;
        this.#tokens.loginRefused();
      },
    });
    this.#polling = this.#poll();
  }

  /** Whether the last that the group did was to give it partitions, be it none of them. */
  get joined(): boolean {
    return this.#joined && !this.#ended;
  }

  /** Whether Kafka has refused the login or to give out records, and neither partition nor record has come since. */
  get blocked(): boolean {
    return (this.#blocked || (this.#loginRefused && !this.#joined)) && !this.#ended;
  }

  /** Notes how far a partition is handled; the group knows within a second. */
  store(next: NativeOffset): void {
    // A handler that was left behind: its record comes again.
    if (this.#ended) return;
    try {
      this.#consumer.offsetsStore([next]);
      this.#hasStored = true;
    } catch (error) {
      const { code, message } = asNativeError(error);
      // The partition moved away meanwhile: its next owner gets the record again.
      if (this.#nameOf(code) === "ERR__STATE") return;
      this.#log.warn("offset_not_stored", { error: message }, "An offset was not stored: its record will come again");
    }
  }

  setPaused(partition: number, paused: boolean): void {
    try {
      const partitions = [{ topic: this.#topic, partition }];
      if (paused) this.#consumer.pause(partitions);
      else this.#consumer.resume(partitions);
    } catch (error) {
      const { message } = asNativeError(error);
      this.#log.warn(
        "partition_not_paused",
        { partition, paused, error: message },
        "A partition could not be paused or resumed",
      );
    }
  }

  /** Where a partition begins and ends, as the last answer of a broker had it. */
  watermarks(partition: number): NativeWatermarks | undefined {
    try {
      const marks = this.#consumer.getWatermarkOffsets(this.#topic, partition);
      return marks.highOffset < 0 ? undefined : marks;
    } catch {
      return undefined;
    }
  }

  /** Asks a broker where partitions begin and end. Rejects if none answers. */
  askWatermarks(partitions: readonly number[]): Promise<ReadonlyMap<number, NativeWatermarks>> {
    return watermarksOf(this.#consumer, this.#topic, partitions);
  }

  /**
   * Commits what was stored and leaves the group. Resolves when that is done, or about when the time is over; then it goes on
   * as soon as a broker answers.
   */
  async leave(timeoutMs: number): Promise<void> {
    this.#leaving = true;
    if (!(await resolvesWithin(timeoutMs, this.#commitAndDisconnect()))) {
      this.#log.warn(
        "leave_timeout",
        { timeoutMs },
        "No broker took the last offsets in time: their records will come again",
      );
    }
    this.#tokens.stop();
  }

  /**
   * Without a broker the client's `disconnect` waits for ever if an offset is still to be committed. It holds a thread of Node's
   * pool all the while, and the process cannot even exit. So it is called when a broker has answered the commit.
   */
  async #commitAndDisconnect(): Promise<void> {
    // The client cannot be told any more when it disconnects, and would wait for ever.
    await this.#rebalanced;
    if (this.#hasStored && !this.#ended) {
      while (!(await this.#commit())) await delay(pollMs);
    }
    this.#end();
    await this.#polling;
    this.#tokens.stop();
    if (this.#consumer.isConnected()) await disconnectConsumer(this.#consumer);
  }

  /** Answers whether a broker has answered, or there is nothing to commit. */
  #commit(): Promise<boolean> {
    return new Promise((resolve) => {
      this.#committed = resolve;
      try {
        this.#consumer.commit();
      } catch {
        // There is nothing to commit.
        resolve(true);
      }
    });
  }

  #onCommit(error: NativeError | null | undefined): void {
    // Offsets that are not committed are committed with the next ones; in the worst case records come again.
    if (error && this.#nameOf(error.code) !== "ERR__NO_OFFSET") {
      this.#log.warn("offset_not_committed", { error: error.message }, "Offsets were not committed");
    }
    this.#committed?.(!(error && unanswered.has(this.#nameOf(error.code))));
  }

  async #poll(): Promise<void> {
    const failure = await connectWithoutBroker(this.#consumer);
    if (failure !== undefined) {
      // The client tells less than librdkafka did, for one not which file it could not read.
      return this.#fail(`cannot start (${failure.message}): check its properties and the files that they name`);
    }
    this.#tokens.start();
    try {
      // Takes what is there, and parks no thread.
      this.#consumer.setDefaultConsumeTimeout(0);
      this.#consumer.subscribe([this.#topic]);
    } catch (error) {
      return this.#fail(`cannot start: ${asNativeError(error).message}`);
    }
    while (!this.#ended) await this.#fetch();
  }

  async #fetch(): Promise<void> {
    this.#arrived = false;
    try {
      const messages = await this.#consume();
      if (messages.length > 0) this.#blocked = false;
      if (messages.length > 0) await this.#observer.received(messages);
      else await this.#arrival();
    } catch (error) {
      const native = asNativeError(error);
      const name = this.#nameOf(native.code) ?? "";
      if (name === "ERR__FATAL") return this.#fail(`failed for good: ${native.message}`);
      this.#blocked ||= kafkaFailure(name) === "permanent";
      const details = { topic: this.#topic, groupId: this.#groupId, error: native.message };
      const { kind, advice } = consumeTroubles[name] ?? { kind: "consume_failed", advice: "" };
      this.#log.warn(kind, details, `No records can be read for now${advice}`);
      await delay(pollMs);
    }
  }

  #consume(): Promise<readonly NativeMessage[]> {
    return new Promise((resolve, reject) => {
      this.#consumer.consume(fetchCount, (error, messages) => {
        // It is the client's own error, with its code.
        if (error) reject(error);
        else resolve(messages);
      });
    });
  }

  async #arrival(): Promise<void> {
    if (this.#arrived || this.#ended) return;
    await resolvesWithin(
      pollMs,
      new Promise<void>((resolve) => {
        this.#wake = resolve;
      }),
    );
  }

  #onArrival(): void {
    this.#arrived = true;
    this.#wake?.();
  }

  #end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  #fail(how: string): void {
    this.#end();
    this.#observer.failed(new Error(`The Kafka consumer ${how}`));
  }

  async #rebalance(change: NativeError, partitions: readonly NativePartition[]): Promise<void> {
    try {
      if (this.#nameOf(change.code) === "ERR__ASSIGN_PARTITIONS") await this.#assign(partitions);
      else await this.#revoke(partitions);
    } catch (error) {
      this.#log.warn(
        "rebalance_failed",
        { error: asNativeError(error).message },
        "Partitions could not be taken or given up",
      );
    }
  }

  async #assign(partitions: readonly NativePartition[]): Promise<void> {
    // When the member leaves, the client no longer knows.
    this.#cooperative = this.#consumer.rebalanceProtocol() === "COOPERATIVE";
    const committed = await this.#committedOf(partitions);
    for (const { partition } of partitions) this.#observer.assigned(partition, committed?.get(partition));
    this.#joined = true;
    this.#loginRefused = false;
    const begun = partitions.map((place) => this.#beginningOf(place, committed));
    if (this.#cooperative) this.#consumer.incrementalAssign(begun);
    else this.#consumer.assign(begun);
    // One that was paused when it moved away comes back paused.
    if (partitions.length > 0) {
      this.#consumer.resume(partitions);
      this.#blocked = false;
    }
  }

  /** librdkafka begins at what is committed, and without that at the oldest record, unless it is given a place. */
  #beginningOf(place: NativePartition, committed: ReadonlyMap<number, number> | undefined): NativePlace {
    const isNew = committed !== undefined && !committed.has(place.partition);
    return isNew && this.#startAt === "latest" ? { ...place, offset: endOffset } : place;
  }

  /**
   * What the group has committed in these partitions, as far as it has. Undefined if no broker says: that is only for a group
   * which begins at the oldest record anyhow, since another would begin at the wrong end.
   */
  async #committedOf(partitions: readonly NativePartition[]): Promise<ReadonlyMap<number, number> | undefined> {
    if (partitions.length === 0) return new Map();
    const ids = partitions.map(({ partition }) => partition);
    for (;;) {
      try {
        return await committedOffsets(this.#consumer, this.#topic, ids);
      } catch (error) {
        if (this.#startAt === "earliest" || this.#leaving) return undefined;
        const details = { topic: this.#topic, groupId: this.#groupId, error: errorMessage(error) };
        this.#log.warn("offsets_unknown", details, "No broker says where the group is: it is asked again");
        await delay(pollMs);
      }
    }
  }

  async #revoke(partitions: readonly NativePartition[]): Promise<void> {
    const released = Promise.all(partitions.map(({ partition }) => this.#observer.revoked(partition)));
    // What is handled in this time is committed, and does not come again elsewhere.
    if (!this.#leaving) await resolvesWithin(handOverMs, released);
    if (this.#cooperative) this.#consumer.incrementalUnassign(partitions);
    else this.#consumer.unassign();
    this.#joined = false;
  }

  #nameOf(code: number): string | undefined {
    return this.#client.codeName(code);
  }
}
