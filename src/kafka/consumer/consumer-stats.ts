/**
 * Why a record was set aside.
 *
 * - `empty_value`: it has no bytes
 * - `undecodable`: its bytes are not an event
 * - `no_event_id`: they decode to an event that has no `event_id`, as bytes of many other messages do
 * - `handler_failed`: it holds an event, and the handler failed as often as `retry.attempts` allows
 */
export type InvalidReason = "empty_value" | "undecodable" | "no_event_id" | "handler_failed";

/** What a consumer has done, and what it holds now. */
export interface ConsumerStats {
  /** Events that the handler has handled; one that came twice counts twice. */
  readonly handled: number;
  /** Records set aside, by reason. */
  readonly invalid: Readonly<Partial<Record<InvalidReason, number>>>;
  /** Attempts that failed and are followed by another one, of handling and of setting aside. */
  readonly retried: number;
  /** Whether the group has given this consumer its share of the partitions, be it none for now. */
  readonly joined: boolean;
  /** Partitions that are this consumer's now. */
  readonly assigned: number;
  /** Of those, how many wait because the last attempt failed. */
  readonly retrying: number;
  /** Records that were fetched and are not handled yet. */
  readonly queued: number;
}
