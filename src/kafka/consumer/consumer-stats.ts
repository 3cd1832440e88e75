/**
 * Why a record was set aside.
 *
 * - `empty_value`: it has no bytes
 * - `undecodable`: its bytes are not an event
 * - `no_event_id`: they decode to an event that has no `event_id`, as bytes of many other messages do
 * - `handler_failed`: it holds an event, and the handler failed as often as `retry.attempts` allows
 * - `poison`: it holds an event, and the handler says that it can never handle it
 */
export type InvalidReason = "empty_value" | "undecodable" | "no_event_id" | "handler_failed" | "poison";

/**
 * What holds a consumer up now.
 *
 * - `read_blocked`: Kafka refuses the login, or gives out no records until somebody acts, for one because a right is missing
 * - `handler_blocked`: the handler says that it fails for every event until somebody acts
 * - `set_aside_blocked`: no record can be set aside until somebody acts
 * - `standstill`: a record has been in hand for longer than `stuckAfterMs`
 */
export type ConsumerProblem = "read_blocked" | "handler_blocked" | "set_aside_blocked" | "standstill";

/** What a consumer has done, and what it holds now. */
export interface ConsumerStats {
  /** Events that the handler has handled; one that came twice counts twice. */
  readonly handled: number;
  /** Records set aside, by reason. */
  readonly invalid: Readonly<Partial<Record<InvalidReason, number>>>;
  /** Records that could not even be set aside, in no form. The log says where in Kafka each of them stands. */
  readonly lost: number;
  /** Times that a partition went on at the oldest record, since those that the group was to read next are gone. */
  readonly resets: number;
  /** Records that retention deleted before the group had read them, as far as their offsets tell. */
  readonly missed: number;
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
  /** Records in these partitions that are not handled yet, as far as the brokers have said. 0 before they have. */
  readonly lag: number;
  /** How long the record that has been in hand for longest has been so: handled, tried again or set aside. 0 if there is none. */
  readonly oldestInHandMs: number;
  /** What holds the consumer up now. Empty if nothing does. */
  readonly problems: readonly ConsumerProblem[];
}
