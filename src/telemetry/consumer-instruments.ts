import { byReason, type Counts, type Instrument, problemsNow, seconds, single } from "./instrument.js";

/** What is read of a consumer's `stats()`. */
export interface ConsumerCounts {
  readonly handled: number;
  readonly invalid: Counts;
  readonly lost: number;
  readonly resets: number;
  readonly missed: number;
  readonly retried: number;
  readonly joined: boolean;
  readonly assigned: number;
  readonly retrying: number;
  readonly queued: number;
  readonly lag: number;
  readonly oldestInHandMs: number;
  readonly problems: readonly string[];
}

/** Why a consumer sets a record aside. A test holds this to the consumer's type. */
export const invalidReasons = { empty_value: 0, undecodable: 0, no_event_id: 0, handler_failed: 0, poison: 0 } as const;

/** What holds a consumer up. A test holds this to the consumer's type. */
export const consumerProblems = { read_blocked: 0, handler_blocked: 0, set_aside_blocked: 0, standstill: 0 } as const;

/** All that is observed of a consumer. */
export const consumerInstruments: readonly Instrument<ConsumerCounts>[] = [
  single(
    "counter",
    {
      name: "session_activity.consumer.handled",
      unit: "{event}",
      description: "Events that the handler has handled; one that came twice counts twice",
    },
    ({ handled }) => handled,
  ),
  byReason(
    { name: "session_activity.consumer.set_aside", unit: "{record}", description: "Records set aside" },
    invalidReasons,
    ({ invalid }) => invalid,
  ),
  single(
    "counter",
    {
      name: "session_activity.consumer.lost",
      unit: "{record}",
      description: "Records that could not even be set aside, in no form",
    },
    ({ lost }) => lost,
  ),
  single(
    "counter",
    {
      name: "session_activity.consumer.missed",
      unit: "{record}",
      description: "Records that retention deleted before the group had read them",
    },
    ({ missed }) => missed,
  ),
  single(
    "counter",
    {
      name: "session_activity.consumer.reset",
      unit: "{reset}",
      description: "Times that a partition went on at the oldest record, since those to be read next are gone",
    },
    ({ resets }) => resets,
  ),
  single(
    "counter",
    {
      name: "session_activity.consumer.retried",
      unit: "{attempt}",
      description: "Attempts that failed and are followed by another one",
    },
    ({ retried }) => retried,
  ),
  single(
    "updown_counter",
    {
      name: "session_activity.consumer.lag",
      unit: "{record}",
      description: "Records in this consumer's partitions that are not handled yet, as far as the brokers have said",
    },
    ({ lag }) => lag,
  ),
  single(
    "updown_counter",
    {
      name: "session_activity.consumer.queued",
      unit: "{record}",
      description: "Records that were fetched and are not handled yet",
    },
    ({ queued }) => queued,
  ),
  single(
    "gauge",
    {
      name: "session_activity.consumer.oldest.age",
      unit: "s",
      description: "For how long the oldest record has been in hand; 0 if none is",
    },
    ({ oldestInHandMs }) => seconds(oldestInHandMs),
  ),
  single(
    "updown_counter",
    {
      name: "session_activity.consumer.partition.assigned",
      unit: "{partition}",
      description: "Partitions that are this consumer's now",
    },
    ({ assigned }) => assigned,
  ),
  single(
    "updown_counter",
    {
      name: "session_activity.consumer.partition.retrying",
      unit: "{partition}",
      description: "Of those, partitions that wait because the last attempt failed",
    },
    ({ retrying }) => retrying,
  ),
  single(
    "updown_counter",
    {
      name: "session_activity.consumer.joined",
      unit: "{consumer}",
      description: "1 if the group has given this consumer its share of the partitions, else 0",
    },
    ({ joined }) => Number(joined),
  ),
  problemsNow(
    {
      name: "session_activity.consumer.problem",
      unit: "{consumer}",
      description: "1 as long as this holds the consumer up, else 0",
    },
    consumerProblems,
    ({ problems }) => problems,
  ),
];
