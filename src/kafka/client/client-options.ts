import { describeName, describeSecret } from "../../base/option-error.js";
import { entriesOf, isOptions, type Option, text } from "../../base/options.js";

/** The topic that publisher and consumer use if no other is named. */
export const defaultTopic = "session-activities";

/** librdkafka properties by name. */
export type KafkaProperties = Readonly<Record<string, string | number | boolean>>;

/** A host name or address, and a port. An IPv6 address stands in brackets. */
const addressPattern = /^(\[[0-9A-Fa-f:.]+(%\w+)?\]|[^\s,;/@:[\]]+):(\d{1,5})$/;

/** Where Kafka is. What code gives and what a variable says pass the same check. */
export const brokersOption: Option<string> = {
  meaning: "Where Kafka is: brokers to start from",
  expects: '"host:port", or several joined by commas or in an array',
  variable: "KAFKA_BROKERS",
  required: true,
  read: readBrokers,
  parse: (given) => given,
  advice: (value) =>
    [value].flat().some((address) => typeof address === "string" && /@|:\/\//.test(address))
      ? "an address has no scheme, user or password; set security.protocol and sasl.* in properties, or the variables SESSION_TRACKING_KAFKA_TLS and SESSION_TRACKING_KAFKA_SASL_*"
      : undefined,
};

function readBrokers(value: unknown): string | undefined {
  const list: unknown = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const addresses = list.flatMap((entry) =>
    typeof entry === "string" ? entry.split(",").map((address) => address.trim()) : "",
  );
  return addresses.every(isAddress) ? addresses.join(",") : undefined;
}

function isAddress(address: string): boolean {
  const port = Number(addressPattern.exec(address)?.[3]);
  return port >= 1 && port <= 65_535;
}

/** A topic's name, by Kafka's own rule. */
export function topicOption<T extends string | undefined>(
  about: Pick<Option<T>, "meaning" | "byDefault"> & Partial<Option<T>>,
): Option<string | T> {
  return text({
    expects: "1 to 249 of A-Z a-z 0-9 . _ -, and neither . nor ..",
    pattern: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
    ...about,
  });
}

/** How the brokers' logs and quotas name this client. */
export const clientIdOption: Option<string> = text({
  meaning: "What the brokers' logs and quotas know this client by",
  byDefault: "connect-session-activity",
  variable: "KAFKA_CLIENT_ID",
});

/** librdkafka properties. Which names and values there are is known to librdkafka only. */
export function propertiesOption(reserved: readonly string[]): Option<KafkaProperties> {
  const isAllowed = (entry: [string, unknown]): entry is [string, string | number | boolean] =>
    !reserved.includes(entry[0]) && ["string", "number", "boolean"].includes(typeof entry[1]);
  return {
    meaning: "Any librdkafka property; properties win over what this package sets",
    expects: "librdkafka properties: an object of texts, numbers and booleans by name",
    byDefault: {},
    defaultText: "none",
    variable: "KAFKA_PROPERTIES",
    secret: true,
    read(value) {
      if (!isOptions(value)) return undefined;
      const entries = entriesOf(value);
      return entries.every(isAllowed) ? Object.fromEntries(entries) : undefined;
    },
    parse: parseJson,
    advice(value) {
      const wrong = isOptions(value) ? entriesOf(value).find((entry) => !isAllowed(entry)) : undefined;
      if (wrong === undefined) return undefined;
      const [name, got] = wrong;
      return reserved.includes(name)
        ? `leave out ${name}, this package depends on its own`
        : `${describeName(name)} is ${describeSecret(got)}`;
    },
  };
}

function parseJson(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return given;
  }
}
