import { fromBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import type { EventRecord } from "../publishing/event-record.js";
import type { SessionTracking } from "../service/tracking.js";
import { claim, type Instrumentation, instrumented, observe, seriesOf } from "./observed.js";
import {
  type InstrumentationOptions,
  type InstrumentationSettings,
  instrumentationSettings,
} from "./telemetry-options.js";
import { deliveryDuration, trackingInstruments } from "./tracking-instruments.js";

/**
 * Gives what session tracking counts to OpenTelemetry. The counts are read when your SDK collects, so that calls do nothing
 * more than before. Only the time of a delivery is recorded, in its report, which comes long after the call.
 *
 * No attribute holds anything of a call or a session. All names stand in docs/telemetry.md.
 *
 * Throws an `OptionError` for wrong options, and if the tracking is instrumented already.
 *
 * @example
 * const tracking = startSessionTracking();
 * const instrumentation = instrumentSessionTracking(tracking, { meter: metrics.getMeter("connect-session-activity") });
 */
export function instrumentSessionTracking(tracking: SessionTracking, options: InstrumentationOptions): Instrumentation {
  const owner = "instrumentSessionTracking";
  const settings = instrumentationSettings(owner, options);
  const { meter, attributes } = settings;
  const release = claim(owner, tracking, meter, [seriesOf("tracking", attributes)]);
  const endObserving = observe(meter, trackingInstruments, () => tracking.stats(), attributes);
  const endRecording = recordDeliveries(tracking, settings);
  return instrumented(() => {
    endRecording();
    endObserving();
    release();
  });
}

/** Records how long deliveries take. Answers with what ends this. */
function recordDeliveries(tracking: SessionTracking, { meter, attributes }: InstrumentationSettings): () => void {
  const { name, unit, description, boundaries } = deliveryDuration;
  const advice = { explicitBucketBoundaries: [...boundaries] };
  const histogram = meter.createHistogram(name, { unit, description, advice });
  return tracking.onSettled((outcome, record) => {
    if (outcome !== "delivered") return;
    const endedAtMs = endOf(record);
    if (endedAtMs !== undefined) histogram.record(Math.max(0, Date.now() - endedAtMs) / 1_000, attributes);
  });
}

/**
 * When the call ended, on the wall clock. Only the event's bytes know its duration: keeping that beside each record would cost
 * those who do not look, and a record that waited in a spool is not the one that was published.
 */
function endOf({ startedAtMs, bytes }: EventRecord): number | undefined {
  if (startedAtMs === undefined) return undefined;
  const reader = new BinaryReader(bytes);
  // The one field alone, which is four times as fast as decoding the event.
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === durationField) return startedAtMs + durationMs(fromBinary(DurationSchema, reader.bytes()));
    reader.skip(type, field);
  }
  return undefined;
}

/** protobuf-es has this from 2.10 on. */
function durationMs({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}

const durationField = SessionActivityEventSchema.field.duration.number;
