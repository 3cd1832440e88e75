import { onTopOfEnvironment, type Problems, readVariables, refuse, variablesOf } from "../base/environment.js";
import { missingOption } from "../base/option-error.js";
import { readOptions } from "../base/options.js";
import { databaseTable, historyPrefix, openSignalDatabase } from "../history/database.js";
import type { SignalDatabase } from "../history/index.js";
import { clientFromEnv } from "../kafka/environment/kafka-environment.js";
import { type ConsoleOptions, type ConsoleSettings, consoleTable, isLoopback } from "./console-options.js";

const variables = [
  ...variablesOf(historyPrefix, { address: databaseTable.url }),
  ...variablesOf(historyPrefix, { schema: consoleTable.schema }),
];

/** What a console works with. */
export interface ReadyConsole {
  readonly settings: ConsoleSettings;
  /** Opens the database, or takes the one that was given. `close` closes what was opened. */
  openDatabase(): { readonly database: SignalDatabase; readonly close: () => Promise<void> };
}

/** Checks and completes the options, with the environment beneath. Throws an `OptionError` that names the option. */
export function consoleSettings(options: ConsoleOptions): ReadyConsole {
  let url: unknown;
  const all = onTopOfEnvironment(options, (env) => {
    const problems: Problems = new Map();
    const { address, ...beneath } = readVariables(variables, env, problems);
    refuse(problems, "the console");
    url = address;
    return { ...clientFromEnv(env), ...beneath };
  });
  const settings = readOptions("startConsole", consoleTable, all);
  const { database, host, proxyHeader } = settings;
  if (!isLoopback(host) && proxyHeader === undefined) {
    const because = `since others than this machine can reach ${host}: a proxy must say who they are`;
    throw missingOption("proxyHeader", "the name of a header", because);
  }
  if (database !== undefined) {
    return { settings, openDatabase: () => ({ database, close: () => Promise.resolve() }) };
  }
  if (typeof url !== "string") {
    throw missingOption("database", consoleTable.database.expects, "or the variable SESSION_HISTORY_DATABASE");
  }
  const address = url;
  return {
    settings,
    openDatabase() {
      const opened = openSignalDatabase({ url: address, readOnly: true, env: false });
      return { database: opened, close: () => opened.close() };
    },
  };
}
