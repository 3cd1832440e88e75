import {
  checkEnvironment,
  type Environment,
  findUnknown,
  type GivenOptions,
  type Problems,
  processEnvironment,
  readVariables,
  refuse,
  type Variable,
  variablesOf,
} from "../../base/environment.js";
import { isOptions } from "../../base/options.js";
import type { KafkaProperties } from "../client/client-options.js";
import { consumerTable } from "../consumer/consumer-options.js";
import { runsTopicOption, type SessionTrackingOptions, trackingTable } from "../tracking-options.js";
import { readSecurity, securityTable } from "./security-variables.js";

const prefix = "SESSION_TRACKING_";

const serviceVariables = variablesOf(prefix, trackingTable);
const readerVariables = variablesOf(prefix, consumerTable);
const clientVariables = variablesOf(prefix, {
  brokers: consumerTable.brokers,
  topic: consumerTable.topic,
  runsTopic: runsTopicOption,
  properties: consumerTable.properties,
});
const securityVariables = variablesOf(prefix, securityTable);

/** The variables of a service, in the order of the documents. Those of TLS and SASL hold for every client of this package. */
export const trackingVariables: readonly Variable[] = [...serviceVariables, ...securityVariables];

/** The variables of a consumer, in the order of the documents. */
export const consumerVariables: readonly Variable[] = [...readerVariables, ...securityVariables];

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
  checkEnvironment(env);
  const { given, security } = read(serviceVariables, env, "session tracking");
  const { kafka, ...options } = given;
  return { ...options, kafka: withSecurity(isOptions(kafka) ? kafka : {}, security) };
}

/** Reads the options of a consumer from environment variables. Throws as {@link sessionTrackingFromEnv} does. */
export function consumerFromEnv(env: Environment): GivenOptions {
  const { given, security } = read(readerVariables, env, "the consumer");
  return withSecurity(given, security);
}

/** Reads where Kafka is and how to get in, for a command that has variables of its own for the rest. */
export function clientFromEnv(env: Environment): GivenOptions {
  const { given, security } = read(clientVariables, env, "the Kafka client");
  return withSecurity(given, security);
}

/** A service and a consumer may share an environment, so both know all names. */
function read(
  variables: readonly Variable[],
  env: Environment,
  what: string,
): { readonly given: GivenOptions; readonly security: KafkaProperties } {
  const problems: Problems = new Map();
  const given = readVariables(variables, env, problems);
  const security = readSecurity(prefix, env, problems);
  findUnknown(prefix, [...trackingVariables, ...consumerVariables], env, problems);
  refuse(problems, what);
  return { given, security };
}

/** Properties win over what the variables for TLS and SASL say. */
function withSecurity(options: GivenOptions, security: KafkaProperties): GivenOptions {
  const { properties = {} } = options;
  const all = { ...security, ...(isOptions(properties) && properties) };
  return Object.keys(all).length === 0 ? options : { ...options, properties: all };
}
