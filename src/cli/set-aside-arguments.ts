import { type Environment, onTopOf, processEnvironment } from "../base/environment.js";
import { missingOption } from "../base/option-error.js";
import { isOptions, readOptions } from "../base/options.js";
import { type DatabaseSettings, databaseTable } from "../history/database.js";
import { type Argument, readAction } from "./arguments.js";
import { historyOptions, readGivenArguments } from "./history-arguments.js";
import { type WorkerSettings, workerFromEnv, workerTable } from "./worker-options.js";

const actions = ["list", "retry"] as const;

/** What `session-activity set-aside` was told to do. */
export interface SetAsideOrder {
  readonly action: (typeof actions)[number];
  readonly address: DatabaseSettings;
  readonly history: WorkerSettings["history"];
}

const names: ReadonlySet<string> = new Set(["--database", "--schema", "--require-verified", "--tombstone-key-file"]);

/** Its arguments: those of the worker that are about the history. */
export const setAsideOptions: readonly Argument[] = historyOptions.filter(({ name }) => names.has(name));

/** Reads the arguments of `session-activity set-aside`, on top of the environment. Throws an `OptionError`. */
export function readSetAsideArguments(
  [word, ...rest]: readonly string[],
  env: Environment = processEnvironment,
): SetAsideOrder {
  const action = readAction("set-aside", word, actions);
  const { address: beneath, options } = workerFromEnv(env);
  const given = onTopOf({ history: options["history"], address: beneath }, readGivenArguments(rest, setAsideOptions));
  const owner = `session-activity set-aside ${action}`;
  const address = readOptions(owner, databaseTable, given["address"]);
  if (address.url === undefined) {
    throw missingOption("--database", databaseTable.url.expects, "or the variable SESSION_HISTORY_DATABASE");
  }
  const inside = isOptions(given["history"]) ? given["history"] : {};
  const { history } = readOptions(owner, { history: workerTable.history }, { history: inside });
  return { action, address, history };
}
