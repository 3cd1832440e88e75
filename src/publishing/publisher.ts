import type { SessionActivityEvent } from "../../gen/sessionactivity/v1/session_activity_pb.js";

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
 * - `invalid_event`: the event could not be encoded
 * - `error`: anything else; the log says what
 */
export type DropReason =
  | "no_brokers"
  | "no_client"
  | "queue_full"
  | "too_large"
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
 */
export type PublisherProblem = "no_brokers" | "no_client" | "queue_full" | "failed";

/** Takes finished events to where they are read. Neither method throws, and `publish` never waits. */
export interface Publisher {
  /**
   * Takes one event. Where `settled` is given, it is called once with what became of the event.
   */
  publish(event: SessionActivityEvent, settled?: (outcome: "delivered" | DropReason) => void): void;
  /**
   * Durable publishers note here that a call starts, so that the event survives a crash inside the call. The event's
   * sequence is still 0. The answer `"refuse"` makes the interceptor end the call with RESOURCE_EXHAUSTED before the
   * handler runs.
   */
  begin?(event: SessionActivityEvent): void | "refuse" | Promise<void | "refuse">;
  /** Waits until nothing is queued, or the time is over. Always resolves. Absent if nothing is ever queued. */
  flush?(timeoutMs: number): Promise<void>;
  /** Why events are being dropped at this moment, if they are. */
  problem?(): PublisherProblem | undefined;
  /** The counts at this moment. */
  stats(): PublisherStats;
  /** Delivers what can be delivered in time, counts the rest as dropped, and always resolves. Idempotent. */
  close(): Promise<PublisherStats>;
}
