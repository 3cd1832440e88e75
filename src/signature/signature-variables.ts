import {
  type Environment,
  findUnknown,
  type GivenOptions,
  type Problems,
  readVariables,
  refuse,
  variablesOf,
} from "../base/environment.js";
import type { OptionTable } from "../base/options.js";

/** What the variables of signer, key set and verifier begin with. */
export const signaturePrefix = "SESSION_SIGNATURE_";

/** The endings of all of them. A gateway and a service may share an environment, so each knows the names of the others. */
export const signatureVariables = [
  "KEY_FILE",
  "AUDIENCE",
  "KEYS_FILE",
  "JWKS_URL",
  "REFRESH_MS",
  "TIMEOUT_MS",
  "MAX_STALE_MS",
  "MAX_AGE_MS",
  "CLOCK_SKEW_MS",
  "UNMARKED",
] as const;

/**
 * Reads what a table's variables say. Throws an `OptionError` that names each wrong value and each unknown
 * `SESSION_SIGNATURE_*` name. `sources` are options of which one in code stands for all: what code trusts is then all that is
 * trusted.
 */
export function signatureFromEnv(
  table: OptionTable,
  env: Environment,
  given: GivenOptions,
  sources: readonly string[] = [],
): GivenOptions {
  const problems: Problems = new Map();
  const said = readVariables(variablesOf(signaturePrefix, table), env, problems);
  const known = signatureVariables.map((ending) => ({ name: `${signaturePrefix}${ending}` }));
  findUnknown(signaturePrefix, known, env, problems);
  refuse(problems, "signatures");
  if (!sources.some((name) => given[name] !== undefined)) return said;
  return Object.fromEntries(Object.entries(said).filter(([name]) => !sources.includes(name)));
}
