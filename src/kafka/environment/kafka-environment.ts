import {
  type Environment,
  type GivenOptions,
  type Problems,
  processEnvironment,
  readVariables,
  refuse,
  type Variable,
  variablesOf,
} from "../../base/environment.js";
import type { OptionTable } from "../../base/options.js";
import type { KafkaProperties } from "../client/client-options.js";
import { type SessionTrackingOptions, trackingTable } from "../tracking-options.js";
import { findContradictions, type SecuritySettings, securityProperties, securityTable } from "./security-variables.js";

const prefix = "SESSION_TRACKING_";

/** The variables of a service, in the order of the documents. Those of Kafka hold for every client of this package. */
export const trackingVariables: readonly Variable[] = [
  ...variablesOf(prefix, trackingTable as OptionTable),
  ...variablesOf(prefix, securityTable as OptionTable, ["security"]),
];

/**
 * Reads the options of `startSessionTracking` from environment variables. The configuration page lists them. An empty one
 * counts as not set. Spaces around a value, except a secret's, do not count.
 *
 * `startSessionTracking` does this by itself. Call it to see what the environment says, or when you wire by hand.
 *
 * Throws one `OptionError` that names every variable whose value is wrong, and every unknown `SESSION_TRACKING_*` name: a
 * misspelt one would switch the trail off unseen. Variables that Kubernetes sets for its Services are ignored. The error
 * never holds a secret.
 *
 * @param env The variables. By default, those of the process.
 */
export function sessionTrackingFromEnv(env: Environment = processEnvironment): SessionTrackingOptions {
  const problems: Problems = new Map();
  const { security = {}, kafka = {}, ...options } = readVariables(prefix, trackingVariables, env, problems);
  findContradictions(security as Partial<SecuritySettings>, prefix, problems);
  refuse(problems, "session tracking");
  const properties: KafkaProperties = {
    ...securityProperties(security as Partial<SecuritySettings>),
    ...(kafka as { readonly properties?: KafkaProperties }).properties,
  };
  const hasProperties = Object.keys(properties).length > 0;
  return { ...options, kafka: { ...(kafka as GivenOptions), ...(hasProperties && { properties }) } };
}

/**
 * Puts what code says on top of what the environment says. Groups of options and Kafka's properties are merged name by name.
 * Undefined says nothing.
 */
export function onTopOf<Options extends object>(beneath: object, options: Options): Options {
  const merged: Record<string, unknown> = { ...beneath };
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const below = merged[name];
    merged[name] = isGroup(value) && isGroup(below) ? onTopOf(below, value) : value;
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return merged as Options;
}

/** Objects with methods or a prototype of their own are values, not groups. */
function isGroup(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
