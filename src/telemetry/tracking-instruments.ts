import type { UnverifiedReason } from "../contract/context-problem.js";
import type { DropReason } from "../publishing/publisher.js";
import type { AsideReason, SpoolStats, UnrecordableReason } from "../publishing/spool-stats.js";
import type { InterceptorStats } from "../service/interceptor.js";
import type { SkipReason } from "../service/skipped-calls.js";
import type { SessionTrackingStats } from "../service/tracking.js";
import type { AwaitedPart } from "../service/waits.js";
import {
  byReason,
  type Counts,
  type Instrument,
  type InstrumentDescription,
  type Point,
  pointsBy,
  seconds,
  single,
} from "./instrument.js";

/** What is read of `tracking.stats()`. */
export type TrackingCounts = SessionTrackingStats;

type TrackingInstrument = Instrument<TrackingCounts>;

const statusAttribute = "session_activity.status";
const inferredAttribute = "session_activity.status_inferred";
const partAttribute = "session_activity.part";

// The types see to it that no reason is missing.
const skipReasons: Readonly<Record<SkipReason, 0>> = {
  context_empty: 0,
  refused: 0,
  publisher_error: 0,
  too_many_unverified: 0,
};
const unverifiedReasons: Readonly<Record<UnverifiedReason, 0>> = {
  missing: 0,
  signature_missing: 0,
  signature_invalid: 0,
  signature_expired: 0,
  key_unknown: 0,
  key_stale: 0,
};
const awaitedParts: Readonly<Record<AwaitedPart, 0>> = { verifier: 0, publisher: 0 };
const dropReasons: Readonly<Record<DropReason, 0>> = {
  no_brokers: 0,
  no_client: 0,
  queue_full: 0,
  too_large: 0,
  compression_refused: 0,
  expired: 0,
  unconfirmed: 0,
  unknown_topic: 0,
  unauthorized: 0,
  invalid_timestamp: 0,
  invalid_record: 0,
  fatal: 0,
  closed: 0,
  close_timeout: 0,
  invalid_event: 0,
  error: 0,
};
const unrecordableReasons: Readonly<Record<UnrecordableReason, 0>> = { full: 0, error: 0, slow: 0, closed: 0 };
const asideReasons: Readonly<Record<AsideReason, 0>> = {
  too_large: 0,
  invalid_record: 0,
  invalid_event: 0,
  damaged: 0,
};

/** Every call that ended, by status. Those whose status is inferred are a part of them. */
function endedCalls({ byStatus, inferredByStatus }: InterceptorStats): Point[] {
  const inferred: Counts = inferredByStatus;
  return Object.entries(byStatus).flatMap(([status, all]) =>
    [all - (inferred[status] ?? 0), inferred[status] ?? 0].map((value, index) => ({
      value,
      attributes: { [statusAttribute]: status, [inferredAttribute]: index === 1 },
    })),
  );
}

const callInstruments: readonly TrackingInstrument[] = [
  single(
    "updown_counter",
    {
      name: "session_activity.call.open",
      unit: "{call}",
      description: "Marked or required calls that run, and whose event is not published yet",
    },
    ({ interceptor }) => interceptor.open,
  ),
  single(
    "gauge",
    {
      name: "session_activity.call.oldest.age",
      unit: "s",
      description: "For how long the oldest open call has been in hand; 0 if none is",
    },
    ({ interceptor }) => seconds(interceptor.oldestInHandMs),
  ),
  {
    name: "session_activity.call.ended",
    kind: "counter",
    unit: "{call}",
    description: "Calls that ended with an event, by the status that the caller received",
    attributes: [statusAttribute, inferredAttribute],
    read: ({ interceptor }) => endedCalls(interceptor),
  },
  byReason(
    {
      name: "session_activity.call.skipped",
      unit: "{call}",
      description: "Marked or required calls without an event",
    },
    skipReasons,
    ({ interceptor }) => interceptor.skipped,
  ),
  single(
    "counter",
    { name: "session_activity.call.verified", unit: "{call}", description: "Marked calls whose signature held" },
    ({ interceptor }) => interceptor.verified,
  ),
  byReason(
    {
      name: "session_activity.call.unverified",
      unit: "{call}",
      description: "Calls without a valid mark that need one, whether they have an event or not",
    },
    unverifiedReasons,
    ({ interceptor }) => interceptor.unverified,
  ),
  single(
    "counter",
    {
      name: "session_activity.call.bypassed",
      unit: "{call}",
      description: "Marked calls that Node received and the interceptor never saw",
    },
    ({ interceptor }) => interceptor.bypassed,
  ),
  single(
    "counter",
    {
      name: "session_activity.call.left_early",
      unit: "{call}",
      description: "Marked calls whose caller left before its request was complete",
    },
    ({ interceptor }) => interceptor.leftEarly,
  ),
  {
    name: "session_activity.call.stalled",
    kind: "counter",
    unit: "{call}",
    description: "Calls that went on after 5 s without the answer of this part",
    attributes: [partAttribute],
    read: ({ interceptor }) => pointsBy(partAttribute, { ...awaitedParts, ...interceptor.stalled }),
  },
  single(
    "counter",
    {
      name: "session_activity.context.dropped",
      unit: "{call}",
      description: "Calls without a mark whose session context was not handed on",
    },
    ({ interceptor }) => interceptor.droppedContexts,
  ),
  single(
    "counter",
    {
      name: "session_activity.context.unrecorded",
      unit: "{event}",
      description: "Events without the session context, because `recordContext` failed",
    },
    ({ interceptor }) => interceptor.unrecordedContexts,
  ),
];

const eventInstruments: readonly TrackingInstrument[] = [
  single(
    "counter",
    { name: "session_activity.event.offered", unit: "{event}", description: "Events given to the publisher" },
    ({ publisher }) => publisher.offered,
  ),
  single(
    "counter",
    { name: "session_activity.event.delivered", unit: "{event}", description: "Events that Kafka acknowledged" },
    ({ publisher }) => publisher.delivered,
  ),
  byReason(
    { name: "session_activity.event.dropped", unit: "{event}", description: "Events that were not delivered" },
    dropReasons,
    ({ publisher }) => publisher.dropped,
  ),
  single(
    "updown_counter",
    { name: "session_activity.event.queued", unit: "{event}", description: "Events that wait for delivery" },
    ({ publisher }) => publisher.queued,
  ),
];

/** The instruments of a spool have values only if there is one. */
function ofSpool(
  kind: TrackingInstrument["kind"],
  described: Pick<InstrumentDescription, "name" | "unit" | "description">,
  read: (spool: SpoolStats) => number,
): TrackingInstrument {
  return single(kind, described, ({ spool }) => spool && read(spool));
}

const spoolInstruments: readonly TrackingInstrument[] = [
  ofSpool(
    "updown_counter",
    {
      name: "session_activity.spool.size",
      unit: "By",
      description: "Bytes of this process's events that are in the spool and not delivered yet",
    },
    ({ storedBytes }) => storedBytes,
  ),
  ofSpool(
    "updown_counter",
    {
      name: "session_activity.spool.stored",
      unit: "{event}",
      description: "Events of this process that are in the spool and not delivered yet",
    },
    ({ stored }) => stored,
  ),
  ofSpool(
    "gauge",
    {
      name: "session_activity.spool.oldest.age",
      unit: "s",
      description: "How long ago the call of the oldest event in the spool began, exact to 10 s; 0 if there is none",
    },
    ({ oldestStoredMs }) => seconds(oldestStoredMs),
  ),
  ofSpool(
    "gauge",
    {
      name: "session_activity.spool.write.delay",
      unit: "s",
      description: "For how long the oldest write has been waiting for the spool's disk; 0 if none is",
    },
    ({ writeDelayMs }) => seconds(writeDelayMs),
  ),
  byReason(
    {
      name: "session_activity.spool.unrecorded",
      unit: "{event}",
      description: "Starts of calls and events that are not in the spool",
    },
    unrecordableReasons,
    ({ spool }) => spool?.unrecorded,
  ),
  ofSpool(
    "counter",
    {
      name: "session_activity.spool.refused",
      unit: "{call}",
      description: "Calls that were refused because they could not be stored",
    },
    ({ refused }) => refused,
  ),
  ofSpool(
    "counter",
    {
      name: "session_activity.spool.recovered",
      unit: "{event}",
      description: "Events of processes that have died, which this one delivered",
    },
    ({ recovered }) => recovered,
  ),
  ofSpool(
    "counter",
    {
      name: "session_activity.spool.interrupted",
      unit: "{call}",
      description: "Calls of processes that have died, which had not ended",
    },
    ({ interrupted }) => interrupted,
  ),
  byReason(
    {
      name: "session_activity.spool.set_aside",
      unit: "{event}",
      description: "Events that can never be delivered as they are, and are kept on the disk",
    },
    asideReasons,
    ({ spool }) => spool?.setAside,
  ),
  ofSpool(
    "counter",
    {
      name: "session_activity.spool.damaged",
      unit: "{spool}",
      description: "Spools of processes that have died, which could not be read as they were",
    },
    ({ damaged }) => damaged,
  ),
];

/** All that is observed of a service's session tracking. */
export const trackingInstruments: readonly TrackingInstrument[] = [
  ...callInstruments,
  ...eventInstruments,
  ...spoolInstruments,
  single(
    "updown_counter",
    {
      name: "session_activity.run.open",
      unit: "{run}",
      description: "Runs of this process whose last run record is not written yet; absent without run records",
    },
    ({ runs }) => runs?.open,
  ),
];

/** What is recorded in the delivery report, and not observed. */
export const deliveryDuration: InstrumentDescription & { readonly boundaries: readonly number[] } = {
  name: "session_activity.event.delivery.duration",
  unit: "s",
  description: "The time from the end of a call until Kafka acknowledged its event, by the wall clock",
  attributes: [],
  // An event waits for up to 50 ms so that others can go along, and for as long as an outage lasts if there is a spool.
  boundaries: [0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 3_600],
};
