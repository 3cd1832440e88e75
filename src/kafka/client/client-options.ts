import { wrongOption } from "../../base/option-checks.js";

/** A whole number within bounds, or the default where none was given. */
export function integerOption(
  name: string,
  value: number | undefined,
  bounds: { readonly default: number; readonly min: number; readonly max: number },
): number {
  if (value === undefined) return bounds.default;
  if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
  throw wrongOption(name, `a whole number from ${bounds.min} to ${bounds.max}`, value);
}

/** A string that is not empty, or the default where none was given. */
export function stringOption(name: string, value: string | undefined, defaultValue: string): string {
  if (value === undefined) return defaultValue;
  if (typeof value === "string" && value !== "") return value;
  throw wrongOption(name, "a string that is not empty", value);
}

/** Kafka's own rule for the names of topics. */
export function topicOption(value: string | undefined, defaultValue: string, name = "topic"): string {
  const topic = stringOption(name, value, defaultValue);
  if (/^[A-Za-z0-9._-]{1,249}$/.test(topic) && topic !== "." && topic !== "..") return topic;
  throw wrongOption(name, "1 to 249 of A-Z a-z 0-9 . _ - and neither . nor ..", value);
}

/** Addresses as an array or joined by commas, in the form that librdkafka takes. */
export function brokersOption(value: string | readonly string[]): string {
  const list: readonly unknown[] = typeof value === "string" ? value.split(",") : value;
  const addresses = Array.isArray(list) ? list.map((address) => String(address).trim()) : [];
  if (addresses.length > 0 && addresses.every((address) => /^[^\s,]+$/.test(address))) return addresses.join(",");
  throw wrongOption(
    "brokers",
    'addresses such as "host:9092,host2:9092" or an array of them',
    withoutCredentials(value),
  );
}

/** librdkafka properties by name. Which names and values there are is known to librdkafka only. */
export function propertiesOption(
  value: Readonly<Record<string, string | number | boolean>> | undefined,
  reserved: readonly string[],
): Readonly<Record<string, string | number | boolean>> {
  if (value === undefined) return {};
  if (typeof value !== "object" || value === null) throw wrongOption("properties", "an object", value);
  for (const [name, property] of Object.entries(value)) {
    if (reserved.includes(name))
      throw new TypeError(`properties must not hold ${name}: this package depends on its own`);
    if (!["string", "number", "boolean"].includes(typeof property)) {
      // Its value may be a password.
      throw new TypeError(`properties["${name}"] must be a string, a number or a boolean, got ${typeof property}`);
    }
  }
  return { ...value };
}

/** Addresses as an error may show them. */
function withoutCredentials(brokers: unknown): unknown {
  if (Array.isArray(brokers)) return brokers.map(withoutCredentials);
  return typeof brokers === "string" ? brokers.replaceAll(/[^\s,/]*@/g, "…@") : brokers;
}
