import { describeText, nearestName, optionError } from "./option-error.js";
import { entriesOf, isOptions, type Option, type OptionTable, wrongValue } from "./options.js";

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

/** What is wrong with a variable. */
export interface Problem {
  /** What it is: its value as far as that may be shown, or that it is not set, or unknown. */
  readonly received: string;
  /** What was expected. For an unknown variable the nearest right name, or undefined if there is none. */
  readonly expected: string | undefined;
  /** What to do, if there is something to say. */
  readonly advice?: string | undefined;
}

/** Problems by the name of the variable. */
export type Problems = Map<string, Problem>;

/** The variables of a table's options, in its order. */
export function variablesOf(prefix: string, table: OptionTable, path: readonly string[] = []): Variable[] {
  return Object.entries(table).flatMap(([name, option]) => [
    ...(option.variable === undefined ? [] : [{ name: `${prefix}${option.variable}`, option, path: [...path, name] }]),
    ...(option.fields === undefined ? [] : variablesOf(prefix, option.fields, [...path, name])),
  ]);
}

/** Reads variables. An empty one counts as not set. Spaces around a value do not count, except a secret's. */
export function readVariables(variables: readonly Variable[], env: Environment, problems: Problems): GivenOptions {
  const given: GivenOptions = {};
  for (const { name, option, path } of variables) {
    const raw = env[name] ?? "";
    const text = option.secret ? raw : raw.trim();
    if (text === "" || isInjected(name, raw, env)) continue;
    const value = option.parse?.(text) ?? text;
    if (option.read(value) === undefined) {
      const received = option.secret ? "a secret" : describeText(text);
      problems.set(name, { received, expected: option.expects, advice: option.advice?.(value) });
    } else {
      putAt(given, path, value);
    }
  }
  return given;
}

/** Throws one error that names all problems, if there are any. */
export function refuse(problems: Problems, what: string): void {
  const [first] = problems;
  if (first === undefined) return;
  const list = [...problems].map(([name, problem]) => `- ${name} is ${sentenceOf(problem)}`);
  const message = [`The environment does not configure ${what}:`, ...list].join("\n");
  const [option, { received, expected = "a variable that is known" }] = first;
  throw optionError("ERR_ENVIRONMENT_INVALID", message, { option, expected, received });
}

function sentenceOf({ received, expected, advice }: Problem): string {
  if (received !== unknown) return `${received}, expected ${expected}${advice === undefined ? "" : `: ${advice}`}`;
  return expected === undefined ? unknown : `${unknown}, did you mean ${expected}?`;
}

const unknown = "unknown";

/** Puts a value into groups of options, which it makes if they are not there. */
export function putAt(given: GivenOptions, path: readonly string[], value: unknown): void {
  let group: GivenOptions = given;
  for (const name of path.slice(0, -1)) {
    const inner = group[name];
    const next: GivenOptions = isOptions(inner) ? { ...inner } : {};
    group[name] = next;
    group = next;
  }
  group[path.at(-1) ?? ""] = value;
}

/**
 * Notes every variable that begins with the prefix and is none of those known: a misspelt one would switch something off
 * unseen. Variables that a platform injects are not ours, and are ignored.
 *
 * Values stay out of the error: a password may stand behind a misspelt name.
 */
export function findUnknown(
  prefix: string,
  variables: readonly Pick<Variable, "name">[],
  env: Environment,
  problems: Problems,
): void {
  const known = new Set(variables.map(({ name }) => name));
  const endings = [...known].map((name) => name.slice(prefix.length));
  for (const [name, value] of Object.entries(env)) {
    const like = name.toUpperCase();
    if (!value || !like.startsWith(prefix) || known.has(name) || isInjected(name, value, env)) continue;
    const ending = nearestName(like.slice(prefix.length), endings);
    problems.set(name, { received: unknown, expected: ending === undefined ? undefined : `${prefix}${ending}` });
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
  if (injectedNames.test(name) || isInjectedPort(name, value)) return true;
  // Docker: NAME_NAME=/container/alias, next to NAME_PORT. https://docs.docker.com/engine/network/links/
  const link = /^(\w+)_(NAME|ENV_\w+)$/.exec(name)?.[1];
  return link !== undefined && isInjectedPort(`${link}_PORT`, env[`${link}_PORT`] ?? "");
}

/** The name may be one of ours, such as that of the health port. An address stands in no port of ours. */
function isInjectedPort(name: string, value: string): boolean {
  return name.endsWith("_PORT") && injectedValue.test(value);
}

/** The option that says which environment stands beneath the others. */
export const environmentOption: Option<Environment | false | undefined> = {
  meaning: "The environment variables that stand beneath the options; `false` ignores the environment",
  expects: "an object of variables such as process.env, or false",
  defaultText: "the process's environment",
  // It holds passwords.
  secret: true,
  read: (value) => (value === false || isEnvironment(value) ? value : undefined),
};

function isEnvironment(value: unknown): value is Environment {
  return isOptions(value) && Object.values(value).every((one) => one === undefined || typeof one === "string");
}

/** Throws an `OptionError` if this holds no environment variables. */
export function checkEnvironment(env: unknown): asserts env is Environment {
  if (!isEnvironment(env)) throw wrongValue("env", environmentOption, env);
}

/**
 * The options on top of what the environment says. `readEnvironment` is not called if `env` is false, or if what was given
 * holds no options; checking these then says what is wrong.
 */
export function onTopOfEnvironment(
  given: unknown,
  readEnvironment: (env: Environment, options: GivenOptions) => object,
): unknown {
  if (given !== undefined && !isOptions(given)) return given;
  const { env = processEnvironment, ...options } = Object.fromEntries(entriesOf(given ?? {}));
  // It stays, so that what is missing is not looked for in variables.
  if (env === false) return { ...options, env };
  checkEnvironment(env);
  return onTopOf(readEnvironment(env, options), options);
}

/**
 * Puts what code says on top of what the environment says. Groups of options and Kafka's properties are merged name by name.
 * Undefined says nothing about what is beneath.
 */
export function onTopOf<Options extends object>(beneath: object, options: Options): Options {
  const merged = new Map(Object.entries(beneath));
  for (const [name, value] of entriesOf(options)) {
    const below = merged.get(name);
    if (value === undefined && below !== undefined) continue;
    merged.set(name, isOptions(value) && isOptions(below) ? onTopOf(below, value) : value);
  }
  // A name such as __proto__ stays a name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(merged) as Options;
}
