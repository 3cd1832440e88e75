import { type ConsumerCounts, consumerInstruments } from "./consumer-instruments.js";
import type { Instrument } from "./instrument.js";
import { claim, type Instrumentation, instrumented, observe, seriesOf } from "./observed.js";
import { type InstrumentationOptions, instrumentationSettings } from "./telemetry-options.js";
import { type WorkerCounts, workerInstruments } from "./worker-instruments.js";

/** A consumer, as far as it is instrumented: what `createSessionActivityConsumer` gives. */
export interface InstrumentedConsumer {
  stats(): ConsumerCounts;
}

/** A history worker, as far as it is instrumented: what `startHistoryWorker` gives. */
export interface InstrumentedWorker {
  stats(): WorkerCounts;
}

/**
 * Gives what a consumer counts to OpenTelemetry. The counts are read when your SDK collects: records cost nothing more.
 *
 * Throws an `OptionError` for wrong options, and if the consumer is instrumented already. Several consumers in one process need
 * `attributes` that tell them apart.
 *
 * @example
 * const consumer = createSessionActivityConsumer({ groupId: "audit", handle: withTraceContext(handle), onInvalid });
 * const instrumentation = instrumentSessionActivityConsumer(consumer, { meter });
 */
export function instrumentSessionActivityConsumer(
  consumer: InstrumentedConsumer,
  options: InstrumentationOptions,
): Instrumentation {
  return instrument("instrumentSessionActivityConsumer", ["consumer"], consumerInstruments, consumer, options);
}

/**
 * Gives what a history worker counts to OpenTelemetry, its consumer included. The worker of the command line has `/metrics`, and
 * needs no OpenTelemetry.
 *
 * Throws an `OptionError` for wrong options, and if the worker is instrumented already.
 *
 * @example
 * const worker = startHistoryWorker();
 * const instrumentation = instrumentHistoryWorker(worker, { meter });
 */
export function instrumentHistoryWorker(worker: InstrumentedWorker, options: InstrumentationOptions): Instrumentation {
  return instrument("instrumentHistoryWorker", ["consumer", "worker"], workerInstruments, worker, options);
}

function instrument<Stats>(
  owner: string,
  kinds: readonly string[],
  instruments: readonly Instrument<Stats>[],
  subject: { stats(): Stats },
  options: InstrumentationOptions,
): Instrumentation {
  const { meter, attributes } = instrumentationSettings(owner, options);
  const own = kinds.map((kind) => seriesOf(kind, attributes));
  const release = claim(owner, subject, meter, own);
  const endObserving = observe(meter, instruments, () => subject.stats(), attributes);
  return instrumented(() => {
    endObserving();
    release();
  });
}
