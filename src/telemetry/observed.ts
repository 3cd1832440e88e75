import type { BatchObservableCallback, Meter, Observable } from "@opentelemetry/api";
import { conflictingOption } from "../base/option-error.js";
import type { Instrument, InstrumentKind, MetricAttributes } from "./instrument.js";

/** Ends an instrumentation. */
export interface Instrumentation {
  /** Observes and records nothing more. An SDK may go on exporting the last values. Idempotent. */
  end(): void;
}

/** The handle of an instrumentation that ends so. */
export function instrumented(end: () => void): Instrumentation {
  let isEnded = false;
  return {
    end() {
      if (isEnded) return;
      isEnded = true;
      end();
    },
  };
}

/** What is instrumented now. */
const subjects = new WeakSet<object>();
/** Who has which series of a meter. Two of the same would overwrite each other, and nobody would notice. */
const series = new WeakMap<Meter, Set<string>>();

/** Takes a subject and its series. Throws an `OptionError` if either is taken. Answers with what gives both back. */
export function claim(owner: string, subject: object, meter: Meter, own: readonly string[]): () => void {
  const taken = series.get(meter) ?? new Set<string>();
  if (subjects.has(subject)) {
    throw conflictingOption(
      owner,
      `${owner} was given what is instrumented already: call end() of that instrumentation before`,
    );
  }
  if (own.some((one) => taken.has(one))) {
    throw conflictingOption(
      "attributes",
      `${owner} was given a meter that has such series with the same attributes already: give attributes that tell the two apart, or another meter`,
    );
  }
  subjects.add(subject);
  series.set(meter, taken);
  for (const one of own) taken.add(one);
  return () => {
    subjects.delete(subject);
    for (const one of own) taken.delete(one);
  };
}

/** The name of the series of a kind with these attributes. */
export function seriesOf(kind: string, attributes: MetricAttributes): string {
  const sorted = Object.entries(attributes).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([kind, sorted]);
}

const creators: Readonly<
  Record<InstrumentKind, "createObservableCounter" | "createObservableUpDownCounter" | "createObservableGauge">
> = {
  counter: "createObservableCounter",
  updown_counter: "createObservableUpDownCounter",
  gauge: "createObservableGauge",
};

/** Observes instruments: asks for the counts once for each collection. Answers with what ends this. */
export function observe<Stats>(
  meter: Meter,
  instruments: readonly Instrument<Stats>[],
  stats: () => Stats,
  attributes: MetricAttributes,
): () => void {
  const observables = new Map<Instrument<Stats>, Observable>(
    instruments.map((one) => [
      one,
      meter[creators[one.kind]](one.name, { unit: one.unit, description: one.description }),
    ]),
  );
  const all = [...observables.values()];
  const callback: BatchObservableCallback = (result) => {
    const now = stats();
    for (const [instrument, observable] of observables) {
      for (const { value, attributes: own } of instrument.read(now)) {
        result.observe(observable, value, { ...attributes, ...own });
      }
    }
  };
  meter.addBatchObservableCallback(callback, all);
  return () => meter.removeBatchObservableCallback(callback, all);
}
