import type { Meter } from "@opentelemetry/api";
import { type Option, type OptionsOf, objectWith, readOptions } from "../base/options.js";
import type { MetricAttributes } from "./instrument.js";

/** Options of the functions that instrument. */
export interface InstrumentationOptions {
  /**
   * Makes the instruments. It comes from the `MeterProvider` of your OpenTelemetry SDK.
   *
   * @example metrics.getMeter("connect-session-activity")
   */
  meter: Meter;
  /**
   * Stands in all series. Needed only to tell two of the same kind in one process apart. Give what has few values.
   *
   * @default {}
   * @example { "service.name": "account-service" }
   */
  attributes?: MetricAttributes | undefined;
}

/** The options, checked and completed. */
export interface InstrumentationSettings {
  readonly meter: Meter;
  readonly attributes: MetricAttributes;
}

const attributesOption: Option<MetricAttributes> = {
  meaning: "Stands in all series",
  expects: "an object of texts, numbers and booleans",
  byDefault: {},
  defaultText: "none",
  read: (value) => (isAttributes(value) ? { ...value } : undefined),
};

/** The table of the options. */
export const instrumentationTable: OptionsOf<InstrumentationSettings> = {
  meter: {
    ...objectWith<Meter>(["createHistogram", "createObservableCounter", "addBatchObservableCallback"], {
      meaning: "Makes the instruments",
      expects: "a meter of OpenTelemetry's, as metrics.getMeter(name) gives one",
    }),
    required: true,
  },
  attributes: attributesOption,
};

/** Reads the options of a function. Throws an `OptionError` that names it. */
export function instrumentationSettings(owner: string, options: InstrumentationOptions): InstrumentationSettings {
  return readOptions(owner, instrumentationTable, options);
}

function isAttributes(value: unknown): value is MetricAttributes {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((one) => ["string", "number", "boolean"].includes(typeof one));
}
