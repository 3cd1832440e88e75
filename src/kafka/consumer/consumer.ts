import { errorMessage } from "../../base/errors.js";
import { createTroubleLog, type TroubleLog } from "../../base/log.js";
import { resolvesWithin } from "../../base/timing.js";
import { type KafkaClient, loadKafkaClient, type NativeMessage } from "../client/kafka-client.js";
import type { KafkaTrouble } from "../client/kafka-troubles.js";
import type { SessionActivityRecord } from "./consumed-record.js";
import type { ConsumerSettings, SessionActivityConsumerOptions } from "./consumer-options.js";
import { consumerSettings } from "./consumer-settings.js";
import type { ConsumerProblem, ConsumerStats, InvalidReason } from "./consumer-stats.js";
import { createDeadLetters, type DeadLetters } from "./dead-letters.js";
import { GroupMember } from "./group-member.js";
import { LagWatch } from "./lag-watch.js";
import { type OffsetReset, OffsetWatch } from "./offset-watch.js";
import { createPacer } from "./pacer.js";
import { type PartitionContext, PartitionWorker, type Step } from "./partition-worker.js";

/** How long the next records wait for the handlers of the last ones, before those that are slow are left behind. */
const patienceMs = 20;
/** How many records a partition may hold before no more of it are fetched. */
const maxQueued = 1_000;
/** How often it is looked for handlers that have not settled and for ends of partitions that wait, at least. */
const maxWatchMs = 15_000;
/** How long committing offsets and leaving the group may take. */
const leaveTimeoutMs = 4_000;

/** Reads events from Kafka and hands them to a handler. */
export interface SessionActivityConsumer {
  /** The counts at this moment. */
  stats(): ConsumerStats;
  /**
   * Takes no more events, waits up to `closeTimeoutMs` for handlers that are running, commits, and leaves the group. Always
   * resolves. Idempotent. A handler may call it, but must not wait for it.
   *
   * If no broker answers, the consumer leaves as soon as one does; until then only `process.exit` ends the process.
   */
  close(): Promise<void>;
  /**
   * Resolves when the consumer is closed. Rejects when it has ended by itself because it can never read again: librdkafka
   * failed for good, or could not start. Nobody has to look: it causes no unhandled rejection.
   */
  readonly closed: Promise<void>;
}

/**
 * Creates a consumer that hands each event to a handler at least once, and begins at once. It waits for no broker: with none
 * up, it begins when one appears.
 *
 * Throws a `TypeError` for a wrong option, a `KafkaClientError` if the Kafka client cannot be used, and an `Error` if it refuses
 * a property.
 */
export function createSessionActivityConsumer(options: SessionActivityConsumerOptions): SessionActivityConsumer {
  const settings = consumerSettings(options);
  const consumer = new Consumer(loadKafkaClient(), settings);
  return { stats: () => consumer.stats(), close: () => consumer.close(), closed: consumer.closed };
}

class Consumer {
  readonly closed: Promise<void>;
  readonly #settings: ConsumerSettings;
  readonly #member: GroupMember;
  readonly #deadLetters: DeadLetters | undefined;
  readonly #workers: Map<number, PartitionWorker> = new Map();
  readonly #context: PartitionContext;
  readonly #log: TroubleLog<KafkaTrouble>;
  readonly #offsets: OffsetWatch = new OffsetWatch((partition) => this.#member.watermarks(partition));
  readonly #lag: LagWatch;
  readonly #invalid: Partial<Record<InvalidReason, number>> = {};
  #handled = 0;
  #retried = 0;
  #lost = 0;
  #resets = 0;
  #missed = 0;
  readonly #watch: NodeJS.Timeout;
  #closing: Promise<void> | undefined;
  #settle: (failure: Error | undefined) => void = () => {};

  constructor(client: KafkaClient, settings: ConsumerSettings) {
    const log = createTroubleLog<KafkaTrouble>(settings.log);
    this.#settings = settings;
    this.#log = log;
    this.closed = new Promise((resolve, reject) => {
      this.#settle = (failure) => (failure === undefined ? resolve() : reject(failure));
    });
    this.closed.catch(() => {
      // Whoever waits for it sees it; nobody has to.
    });
    const { setAside } = settings;
    this.#deadLetters =
      typeof setAside === "function" ? undefined : createDeadLetters(client, settings, setAside.topic, log);
    this.#member = this.#join(client, log);
    this.#lag = new LagWatch(this.#member, settings.startAt === "latest");
    this.#context = this.#contextOf(log);
    this.#watch = setInterval(() => this.#look(), Math.min(maxWatchMs, settings.stuckAfterMs));
    this.#watch.unref();
  }

  stats(): ConsumerStats {
    const workers = [...this.#workers.values()];
    return {
      handled: this.#handled,
      invalid: { ...this.#invalid },
      lost: this.#lost,
      resets: this.#resets,
      missed: this.#missed,
      retried: this.#retried,
      // If it is only some partitions that moved away, it is still a member.
      joined: workers.length > 0 || this.#member.joined,
      assigned: workers.length,
      retrying: workers.filter(({ retrying }) => retrying).length,
      queued: workers.reduce((sum, { queued }) => sum + queued, 0),
      lag: this.#lagOf(),
      oldestInHandMs: Math.round(oldestOf(workers)),
      problems: this.#problems(workers),
    };
  }

  #problems(workers: readonly PartitionWorker[]): ConsumerProblem[] {
    const isBlocked = (step: Step): boolean => workers.some(({ blocked }) => blocked === step);
    const problems: Readonly<Record<ConsumerProblem, boolean>> = {
      read_blocked: this.#member.blocked,
      handler_blocked: isBlocked("handler"),
      set_aside_blocked: isBlocked("set_aside"),
      standstill: oldestOf(workers) >= this.#settings.stuckAfterMs,
    };
    return problemNames.filter((name) => problems[name]);
  }

  #look(): void {
    for (const worker of this.#workers.values()) worker.reportStuck(this.#settings.stuckAfterMs);
    const paused = [...this.#workers].filter(([, worker]) => worker.paused);
    void this.#lag.ask(paused.map(([partition]) => partition));
  }

  #lagOf(): number {
    return [...this.#workers].reduce(
      (sum, [partition, { firstOffset = this.#offsets.next(partition) }]) =>
        sum + this.#lag.lagOf(partition, firstOffset),
      0,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(undefined);
    return this.#closing;
  }

  async #close(failure: Error | undefined): Promise<void> {
    // The group is told of what is still being handled, so it is left last.
    await resolvesWithin(
      this.#settings.closeTimeoutMs,
      Promise.allSettled([...this.#workers.values()].map((worker) => worker.stop())),
    );
    clearInterval(this.#watch);
    await this.#member.leave(leaveTimeoutMs);
    await this.#deadLetters?.close();
    this.#workers.clear();
    this.#settle(failure);
  }

  #join(client: KafkaClient, log: TroubleLog<KafkaTrouble>): GroupMember {
    try {
      return new GroupMember(client, this.#settings, log, {
        assigned: (partition, next) => this.#assigned(partition, next),
        revoked: (partition) => this.#revoked(partition),
        received: (messages) => this.#received(messages),
        failed: (error) => {
          log.error("consumer_failed", { error: error.message }, "The consumer has ended");
          this.#closing ??= this.#close(error);
        },
      });
    } catch (cause) {
      throw new Error(`The Kafka client refused its properties: ${errorMessage(cause)}`, { cause });
    }
  }

  #contextOf(log: TroubleLog<KafkaTrouble>): PartitionContext {
    return {
      settings: this.#settings,
      pacer: createPacer(),
      log,
      setAside: (record, reason) => this.#setAside(record, reason),
      store: (next) => this.#member.store(next),
      setPaused: (partition, paused) => this.#member.setPaused(partition, paused),
      handled: (count) => {
        this.#handled += count;
      },
      retried: () => {
        this.#retried += 1;
      },
      lost: () => {
        this.#lost += 1;
      },
    };
  }

  async #setAside(record: SessionActivityRecord, reason: InvalidReason): Promise<void> {
    const { setAside } = this.#settings;
    if (typeof setAside === "function") await setAside(record, reason);
    else await this.#deadLetters?.add(record, reason);
    this.#invalid[reason] = (this.#invalid[reason] ?? 0) + 1;
  }

  #onReset({ missed, ...reset }: OffsetReset): void {
    this.#resets += 1;
    this.#missed += missed;
    const details = { topic: this.#settings.topic, ...reset, missed };
    this.#log.warn("offset_reset", details, "Records are gone that the group has not read: it goes on at the oldest");
  }

  #assigned(partition: number, next: number | undefined): void {
    this.#offsets.begin(partition, next);
    // Between close() and leaving: what comes is not taken.
    if (this.#closing === undefined) this.#workers.set(partition, new PartitionWorker(partition, this.#context));
  }

  async #revoked(partition: number): Promise<void> {
    const worker = this.#workers.get(partition);
    this.#workers.delete(partition);
    await worker?.stop();
  }

  async #received(messages: readonly NativeMessage[]): Promise<void> {
    for (const reset of this.#offsets.received(messages)) this.#onReset(reset);
    for (const [partition, own] of byPartition(messages)) this.#workers.get(partition)?.take(own);
    const workers = [...this.#workers.values()].filter(({ paused }) => !paused);
    await resolvesWithin(patienceMs, Promise.all(workers.map(({ idle }) => idle)));
    for (const worker of workers) if (worker.queued >= maxQueued) worker.hold();
  }
}

const problemNames: readonly ConsumerProblem[] = ["read_blocked", "handler_blocked", "set_aside_blocked", "standstill"];

function oldestOf(workers: readonly PartitionWorker[]): number {
  return workers.reduce((oldest, { inHandMs }) => Math.max(oldest, inHandMs), 0);
}

function byPartition(messages: readonly NativeMessage[]): Map<number, NativeMessage[]> {
  const groups = new Map<number, NativeMessage[]>();
  for (const message of messages) {
    const group = groups.get(message.partition);
    if (group === undefined) groups.set(message.partition, [message]);
    else group.push(message);
  }
  return groups;
}
