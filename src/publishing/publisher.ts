import type { EventRecord } from "./event-record.js";
import type { RunRecord, RunRecordSettled, RunStats } from "./run-record.js";
import type { SpoolStats } from "./spool-stats.js";

/**
 * Why an event was not delivered.
 *
 * - `no_brokers`: none are configured
 * - `no_client`: the Kafka client is not installed, or its native part cannot be loaded
 * - `queue_full`: the bound on events or bytes waiting for delivery was reached
 * - `too_large`: over the message size that client or broker allow
 * - `expired`: not delivered within the delivery timeout; it may have arrived all the same
 * - `unconfirmed`: the broker never confirmed it, and the Kafka client gave it up for delivered, as it may when a topic is
 *   deleted and created anew; it may have arrived all the same
 * - `unknown_topic`: the topic does not exist and may not be created
 * - `unauthorized`: the broker refused the credentials or the write
 * - `invalid_timestamp`: the broker refused the record's time: check this machine's clock
 * - `invalid_record`: the broker refused the record: check this machine's clock, and whether the topic is compacted, which
 *   takes no record without a key
 * - `fatal`: in flight when the producer failed for good; it may have arrived all the same
 * - `closed`: published after close
 * - `close_timeout`: still undelivered when the time given to close was over; it may have arrived all the same
 * - `invalid_event`: what was published is not an `EventRecord`
 * - `error`: anything else; the log says what
 */
export type DropReason =
  | "no_brokers"
  | "no_client"
  | "queue_full"
  | "too_large"
  | "compression_refused"
  | "expired"
  | "unconfirmed"
  | "unknown_topic"
  | "unauthorized"
  | "invalid_timestamp"
  | "invalid_record"
  | "fatal"
  | "closed"
  | "close_timeout"
  | "invalid_event"
  | "error";

/** Why an event was lost: why the publisher dropped it, that there is none, or that it threw against its contract. */
export type LossReason = DropReason | "no_publisher" | "publisher_error";

/** What became of the events offered: `offered` is always the sum of delivered, all dropped, and queued. */
export interface PublisherStats {
  readonly offered: number;
  readonly delivered: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  readonly queued: number;
}

/**
 * Why a publisher drops events, all of them or those that come now.
 *
 * - `no_brokers`: no brokers are configured
 * - `no_client`: the Kafka client cannot be used
 * - `queue_full`: as many events wait for delivery as may
 * - `failed`: the Kafka producer cannot start; the log says why
 * - `spool_full`: as many bytes lie in the spool as may, so that further events are only in memory
 * - `spool_failed`: the spool's disk says no or does not answer, so that events are only in memory
 * - `runs_failed`: events are delivered, but the last run record was not, so that nobody can tell whether they are all
 */
export type PublisherProblem =
  | "no_brokers"
  | "no_client"
  | "queue_full"
  | "failed"
  | "spool_full"
  | "spool_failed"
  | "runs_failed";

/** Told what became of a record. One function serves all records, so asking costs no closure for each. It must not throw. */
export type Settled = (outcome: "delivered" | DropReason, record: EventRecord) => void;

/**
 * The seam between the calls of a service and the place where their events are read. The interceptor hands over records, in
 * this order for each call:
 *
 * 1. `begin`, if the publisher has it: the event as it is known at the start. It has no status, and its sequence is 0.
 * 2. `publish`: the event at its end, with the same event id. If a drain cuts the call short, this comes while `begin` still
 *    waits. It never comes if `begin` answered `"refuse"` before.
 *
 * **A record is final.** The interceptor gives an event its number and encodes it in the same moment as it publishes it, so
 * the number stands in the bytes, and a run's records come in the order of their numbers, each once. A publisher that stores
 * records thus writes a number and its record in one step. If it passes a record on only when that is done, then the highest
 * number in the store is at least the highest that anybody saw. Whoever recovers the run goes on from there.
 *
 * No method may throw, and `publish` never waits. What breaks this contract is counted as `publisher_error`.
 *
 * @example
 * // Tells of what happens at night, and hands all events on. `decode()` costs something only for those.
 * const publisher: Publisher = {
 *   publish(record, settled) {
 *     if (isNight(record.startedAtMs)) alarm(record.decode().action);
 *     kafka.publish(record, settled);
 *   },
 *   flush: (timeoutMs) => kafka.flush?.(timeoutMs) ?? Promise.resolve(),
 *   problem: () => kafka.problem?.(),
 *   stats: () => kafka.stats(),
 *   close: () => kafka.close(),
 * };
 */
export interface Publisher {
  /** Takes the record of an event. If `settled` is given, it is called once with what became of it, at once or later. */
  publish(record: EventRecord, settled?: Settled): void;
  /**
   * Durable publishers note here that a call starts, so that the event survives a crash inside the call: the handler runs when
   * this has resolved. The answer `"refuse"` makes the interceptor end the call with RESOURCE_EXHAUSTED before that.
   * After 5 s without an answer, the call goes on and is counted as `stalled`.
   */
  begin?(start: EventRecord): void | "refuse" | Promise<void | "refuse">;
  /** Waits until nothing is queued, or the time is over. Always resolves. Absent if nothing is ever queued. */
  flush?(timeoutMs: number): Promise<void>;
  /** Why events are being dropped at this moment, if they are. */
  problem?(): PublisherProblem | undefined;
  /** The counts at this moment. */
  stats(): PublisherStats;
  /** How its spool is, if it has one. */
  spool?(): SpoolStats;
  /** Takes a record of the run that the events belong to, and calls `settled` once. Absent if there are no run records. */
  publishRun?(record: RunRecord, settled: RunRecordSettled): void;
  /** What became of run records, if there are any. */
  runs?(): RunStats;
  /**
   * Delivers what can be delivered in time, counts the rest as dropped, and always resolves. Idempotent.
   *
   * @param lastly Called when no event is queued here any more, for the last records of the run. It never rejects, and is waited
   * for during a second at least.
   */
  close(lastly?: () => Promise<void>): Promise<PublisherStats>;
}
