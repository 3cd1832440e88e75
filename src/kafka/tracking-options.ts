import { type Environment, environmentOption } from "../base/environment.js";
import type { Logger } from "../base/log.js";
import { group, milliseconds, type Option, type OptionsOf } from "../base/options.js";
import {
  type InterceptorSettings,
  interceptorTable,
  type SessionActivityInterceptorOptions,
} from "../service/interceptor-options.js";
import { type SpoolOptions, type SpoolSettings, spoolTable } from "../spool/spool-options.js";
import { brokersOption, topicOption } from "./client/client-options.js";
import { type KafkaPublisherOptions, type PublisherSettings, publisherTable } from "./publisher/publisher-options.js";

/** What `startSessionTracking` publishes to: the options of the Kafka publisher, of which none is needed. */
export interface SessionTrackingKafkaOptions extends Omit<KafkaPublisherOptions, "brokers" | "log"> {
  /**
   * Brokers to start from, as `"host:port"`, in one string joined by commas or as an array.
   *
   * Without them, no event is published, and each is counted as dropped with the reason `no_brokers`. The Kafka client is
   * then never loaded.
   *
   * @default none
   */
  brokers?: string | readonly string[] | undefined;
  /**
   * The topic of the run records, by which a reader knows whether it has all events of this service. With `false`, none are
   * written. As a variable, that is the word `false`.
   *
   * @default "session-activity-runs"
   */
  runsTopic?: string | false | undefined;
}

/** Options of `startSessionTracking`. What is not given comes from the environment, then from the defaults. */
export interface SessionTrackingOptions extends Partial<Omit<SessionActivityInterceptorOptions, "publisher">> {
  /**
   * How long `close` and `shutDown` wait for tracked calls that are still open, in milliseconds. What still is by then is
   * published as `UNSETTLED`.
   *
   * @default the value of `settleTimeoutMs`: a handler whose caller is gone gets the same time at shutdown as at any other
   * moment
   */
  drainTimeoutMs?: number | undefined;
  /** The Kafka publisher's options. */
  kafka?: SessionTrackingKafkaOptions | undefined;
  /**
   * Keeps events on a disk until Kafka has them: needs the package `classic-level`. Without a `directory`, events are only in
   * memory.
   *
   * @default none
   */
  spool?: Partial<SpoolOptions> | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
  /** Takes warnings and errors. `false` silences them. @default a line each on stderr */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface TrackingSettings extends Omit<InterceptorSettings, "publisher"> {
  readonly drainTimeoutMs: number | undefined;
  readonly kafka: Omit<PublisherSettings, "log" | "brokers" | "clientId"> & {
    /** Empty if there are none. */
    readonly brokers: string;
    readonly clientId: string | undefined;
    readonly runsTopic: string | false;
  };
  readonly spool: Omit<SpoolSettings, "directory"> & { readonly directory: string | undefined };
  readonly env: Environment | false | undefined;
}

const runsTopicName = topicOption({
  meaning: "The topic that run records go to; `false` for none",
  byDefault: "session-activity-runs",
  variable: "KAFKA_RUNS_TOPIC",
});

/** The topic of the run records. */
export const runsTopicOption: Option<string | false> = {
  ...runsTopicName,
  expects: `${runsTopicName.expects}; or false`,
  read: (value) => (value === false ? false : runsTopicName.read(value)),
  parse: (given) => given !== "false" && given,
};

const { publisher: _, log, ...interceptorOptions } = interceptorTable;
const { log: __, ...publisherOptions } = publisherTable;

/** The options of `startSessionTracking`, in the order of the documents. */
export const trackingTable: OptionsOf<TrackingSettings> = {
  ...interceptorOptions,
  drainTimeoutMs: {
    ...milliseconds({ meaning: "How long a shutdown waits for tracked calls that are still open", byDefault: 0 }),
    byDefault: undefined,
    defaultText: "the settle timeout",
    variable: "DRAIN_TIMEOUT_MS",
  },
  kafka: group(
    {
      ...publisherOptions,
      brokers: {
        ...brokersOption,
        required: undefined,
        byDefault: "",
        defaultText: "none: events are dropped and counted",
        // A service without Kafka says so by an empty list.
        read: (value) =>
          value === "" || (Array.isArray(value) && value.length === 0) ? "" : brokersOption.read(value),
      },
      clientId: { ...publisherOptions.clientId, byDefault: undefined, defaultText: "the service" },
      runsTopic: runsTopicOption,
    },
    {
      meaning: "The Kafka publisher",
      advice: (value) =>
        typeof value === "string" || Array.isArray(value) ? "write kafka: { brokers: … }" : undefined,
    },
  ),
  spool: group(
    {
      ...spoolTable,
      directory: {
        ...spoolTable.directory,
        required: undefined,
        byDefault: undefined,
        defaultText: "none: events are only in memory",
      },
    },
    {
      meaning: "The spool, which keeps events on a disk until Kafka has them",
      advice: (value) => (typeof value === "string" ? "write spool: { directory: … }" : undefined),
    },
  ),
  env: environmentOption,
  log,
};
