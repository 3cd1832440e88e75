import { isIP } from "node:net";
import { type Environment, environmentOption } from "../base/environment.js";
import type { Logger } from "../base/log.js";
import { flag, logOption, type Option, type OptionsOf, objectWith, text, wholeNumber } from "../base/options.js";
import { historyTable } from "../history/history-options.js";
import type { SignalDatabase } from "../history/index.js";
import { brokersOption, type KafkaProperties, propertiesOption, topicOption } from "../kafka/client/client-options.js";
import { type OAuthTokenProvider, oauthTokenOption } from "../kafka/client/oauth-token.js";
import { consumerTable } from "../kafka/consumer/consumer-options.js";

/** Options of {@link startConsole}. What is not given comes from the environment, then from the defaults. */
export interface ConsoleOptions {
  /** Where Kafka is: `"host:9092,host2:9092"`, or an array. Needed here or in `SESSION_TRACKING_KAFKA_BROKERS`. */
  brokers?: string | readonly string[] | undefined;
  /** The topic of the events. Looks and reveals are written there, too. By default, `session-activities`. */
  topic?: string | undefined;
  /** The topic of the run records. By default, `session-activity-runs`. */
  runsTopic?: string | undefined;
  /**
   * The database of the signal history. It stays open. By default, what `SESSION_HISTORY_DATABASE` says, opened read-only. Open
   * one that you give with `readOnly: true`, unless this process records into it.
   */
  database?: SignalDatabase | undefined;
  /** The schema in the database that holds the history. By default, `signal_history`. */
  schema?: string | undefined;
  /** The port to listen on. By default, any free one. */
  port?: number | undefined;
  /**
   * The address to listen on. Another one than of this machine's loopback needs `proxyHeader`.
   *
   * @default "127.0.0.1"
   */
  host?: string | undefined;
  /**
   * The header in which a proxy names the user that it let in. Then there is no token: who comes without the header is refused.
   * Only the proxy may be able to reach the port, and it must remove the header from what comes from outside.
   */
  proxyHeader?: string | undefined;
  /** The addresses from which the proxy connects. Others are refused. By default, those of this machine's loopback. */
  proxyAddresses?: readonly string[] | undefined;
  /** The address under which browsers reach the console through a proxy, such as `https://console.example`. */
  publicOrigin?: string | undefined;
  /** Writes no event of who looked at what. By default, false: what cannot be written there is not shown. */
  noAudit?: boolean | undefined;
  /** Gives the tokens to log in to Kafka with, as for a consumer. */
  oauthToken?: OAuthTokenProvider | undefined;
  /** Any librdkafka property, for example for TLS and SASL. */
  properties?: Readonly<Record<string, string | number | boolean>> | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
  /** Takes what there is to say. By default, warnings and errors go to stderr, a line each; false silences them. */
  log?: Logger | false | undefined;
}

/** The options, checked and completed. */
export interface ConsoleSettings {
  readonly brokers: string;
  readonly topic: string;
  readonly runsTopic: string;
  readonly database: SignalDatabase | undefined;
  readonly schema: string;
  readonly port: number;
  readonly host: string;
  readonly proxyHeader: string | undefined;
  readonly proxyAddresses: readonly string[];
  readonly publicOrigin: string | undefined;
  readonly noAudit: boolean;
  readonly oauthToken: OAuthTokenProvider | undefined;
  readonly properties: KafkaProperties;
  readonly env: Environment | false | undefined;
  readonly log: Logger | false | undefined;
}

const addressesOption: Option<readonly string[]> = {
  meaning: "The addresses from which the proxy connects, joined by commas on the command line",
  expects: "IP addresses",
  byDefault: ["127.0.0.1", "::1"],
  read(value) {
    const list: unknown = typeof value === "string" ? value.split(",").map((one) => one.trim()) : value;
    if (!Array.isArray(list) || list.length === 0) return undefined;
    return list.every((one): one is string => typeof one === "string" && isIP(one) !== 0) ? list : undefined;
  },
  parse: (given) => given,
};

const originOption: Option<string | undefined> = {
  meaning: "The address under which browsers reach the console through a proxy",
  expects: "an origin such as https://console.example",
  defaultText: "none",
  read: (value) => (typeof value === "string" ? originOf(value) : undefined),
  parse: (given) => given,
};

function originOf(value: string): string | undefined {
  if (!URL.canParse(value)) return undefined;
  const { origin, protocol, pathname } = new URL(value);
  return /^https?:$/.test(protocol) && pathname === "/" ? origin : undefined;
}

/** The options of the console. */
export const consoleTable: OptionsOf<ConsoleSettings> = {
  brokers: { ...brokersOption, variable: undefined, instead: "or the variable SESSION_TRACKING_KAFKA_BROKERS" },
  topic: { ...consumerTable.topic, meaning: "The topic of the events", variable: undefined },
  runsTopic: topicOption({ meaning: "The topic of the run records", byDefault: "session-activity-runs" }),
  database: objectWith<SignalDatabase>(["query"], {
    meaning: "The database of the signal history",
    expects: "what openSignalDatabase gives, a Pool of pg, or a PGlite",
    defaultText: "`SESSION_HISTORY_DATABASE`, opened read-only",
  }),
  schema: historyTable.schema,
  port: {
    ...wholeNumber({ meaning: "The port to listen on", unit: "a port", byDefault: 0, min: 0, max: 65_535 }),
    expects: "a port from 0 to 65535",
    defaultText: "any free one",
  },
  host: text({
    meaning: "The address to listen on; another one than of the loopback needs a proxy header",
    byDefault: "127.0.0.1",
  }),
  proxyHeader: text<string | undefined>({
    meaning: "The header in which a proxy names the user; then there is no token",
    expects: "the name of a header",
    defaultText: "none",
    pattern: /^[A-Za-z0-9-]{1,64}$/,
  }),
  proxyAddresses: addressesOption,
  publicOrigin: originOption,
  noAudit: flag({ meaning: "Writes no event of who looked at what" }),
  oauthToken: oauthTokenOption,
  properties: propertiesOption([]),
  env: environmentOption,
  log: logOption,
};

/** Whether only this machine can reach this address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
