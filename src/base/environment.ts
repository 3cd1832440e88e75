import { describeText, nearestName, optionError } from "./option-error.js";
import type { Option, OptionTable } from "./options.js";

/** Environment variables by name: what `process.env` is. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** This process's environment. It is read here and nowhere else. */
export const processEnvironment: Environment = process.env;

/** A variable that sets an option. */
export interface Variable {
  readonly name: string;
  readonly option: Option<unknown>;
  /** Where its value goes in the settings. */
  readonly path: readonly string[];
}

/** What variables said: options as a user gives them, each checked already. */
export type GivenOptions = Record<string, unknown>;

/** Problems by the name of the variable, each as the end of a sentence that begins with the name. */
export type Problems = Map<string, string>;

/** The variables of a table's options, in its order. */
export function variablesOf(prefix: string, table: OptionTable, path: readonly string[] = []): Variable[] {
  return Object.entries(table).flatMap(([name, option]) => [
    ...(option.variable === undefined ? [] : [{ name: `${prefix}${option.variable}`, option, path: [...path, name] }]),
    ...(option.fields === undefined ? [] : variablesOf(prefix, option.fields, [...path, name])),
  ]);
}

/**
 * Reads variables. An empty one counts as not set. Spaces around a value do not count, except a secret's.
 *
 * What is wrong goes into `problems`, as does every unknown name that begins with the prefix: a misspelt variable would
 * switch something off unseen. Variables that a platform injects are not ours, and are ignored.
 */
export function readVariables(
  prefix: string,
  variables: readonly Variable[],
  env: Environment,
  problems: Problems,
): GivenOptions {
  const given: GivenOptions = {};
  for (const { name, option, path } of variables) {
    const raw = env[name] ?? "";
    const value = option.secret ? raw : raw.trim();
    if (value === "" || isInjected(name, raw, env)) continue;
    if (option.read(option.parse?.(value) ?? value) === undefined) {
      problems.set(name, `is ${option.secret ? "a secret" : describeText(value)}, expected ${option.expects}`);
    } else {
      put(given, path, option.parse?.(value) ?? value);
    }
  }
  findUnknown(prefix, variables, env, problems);
  return given;
}

/** Throws one error that names all problems, if there are any. */
export function refuse(problems: Problems, what: string): void {
  const [first] = problems;
  if (first === undefined) return;
  const list = [...problems].map(([name, problem]) => `- ${name} ${problem}`);
  const message = [`The environment does not configure ${what}:`, ...list].join("\n");
  throw optionError("ERR_ENVIRONMENT_INVALID", message, {
    option: first[0],
    expected: "see the message",
    received: "see the message",
  });
}

function put(given: GivenOptions, [name = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    given[name] = value;
    return;
  }
  const inner: GivenOptions = {};
  given[name] ??= inner;
  put(given[name] as GivenOptions, rest, value);
}

/** Values stay out of the error: a password may stand behind a misspelt name. */
function findUnknown(prefix: string, variables: readonly Variable[], env: Environment, problems: Problems): void {
  const known = new Set(variables.map(({ name }) => name));
  for (const [name, value] of Object.entries(env)) {
    const like = name.toUpperCase();
    if (!value || !like.startsWith(prefix) || known.has(name) || isInjected(name, value, env)) continue;
    const nearest = known.has(like) ? like : nearestName(like, [...known]);
    problems.set(name, `is unknown${nearest === undefined ? "" : `, did you mean ${nearest}?`}`);
  }
}

/** What Kubernetes sets for each Service in a pod's namespace, and Docker for each link. */
const injectedNames = /_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)$/;
const injectedValue = /^(tcp|udp|sctp):\/\/\S+:\d+$/;

/**
 * Whether a platform set this variable, and nobody who meant us.
 *
 * Kubernetes sets `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`, `NAME_PORT` and more for a Service called `name`. The Service may
 * well be called session-tracking-kafka. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
 */
function isInjected(name: string, value: string, env: Environment): boolean {
  if (injectedNames.test(name) || injectedValue.test(value)) return true;
  // Docker: NAME_NAME=/container/alias, next to NAME_PORT. https://docs.docker.com/engine/network/links/
  const link = /^(\w+)_(NAME|ENV_\w+)$/.exec(name)?.[1];
  return link !== undefined && injectedValue.test(env[`${link}_PORT`] ?? "");
}
