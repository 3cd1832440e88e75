import { type Environment, processEnvironment } from "../base/environment.js";
import { isOptions } from "../base/options.js";
import { type ConsoleOptions, consoleTable } from "../console/console-options.js";
import { consoleSettings } from "../console/console-settings.js";
import { type Argument, argument } from "./arguments.js";
import { addressOption, readGivenArguments } from "./history-arguments.js";
import { workerKafkaTable } from "./worker-options.js";

/** Its arguments, in the order of help and documents. */
export const consoleArguments: readonly Argument[] = [
  argument("--brokers", "HOST:PORT", workerKafkaTable.brokers, ["brokers"]),
  argument("--database", "ADDRESS", { ...addressOption, meaning: `${addressOption.meaning}; it is only read` }, [
    "address",
    "url",
  ]),
  argument("--schema", "NAME", consoleTable.schema, ["schema"]),
  argument("--topic", "TOPIC", { ...workerKafkaTable.topic, meaning: consoleTable.topic.meaning }, ["topic"]),
  argument("--runs-topic", "TOPIC", consoleTable.runsTopic, ["runsTopic"]),
  argument("--port", "PORT", { ...consoleTable.port, parse: Number }, ["port"]),
  argument("--host", "HOST", consoleTable.host, ["host"]),
  argument("--proxy-header", "NAME", consoleTable.proxyHeader, ["proxyHeader"]),
  argument("--proxy-addresses", "ADDRESSES", consoleTable.proxyAddresses, ["proxyAddresses"]),
  argument("--public-origin", "ORIGIN", consoleTable.publicOrigin, ["publicOrigin"]),
  argument("--no-audit", undefined, { ...consoleTable.noAudit, defaultText: "each look is an event on the trail" }, [
    "noAudit",
  ]),
];

/** Reads the arguments of `session-activity console`, on top of the environment. Throws an `OptionError`. */
export function readConsoleArguments(args: readonly string[], env: Environment = processEnvironment): ConsoleOptions {
  const { address, ...given } = readGivenArguments(args, consoleArguments);
  const url = isOptions(address) ? address["url"] : undefined;
  const options = { ...given, env: typeof url === "string" ? { ...env, SESSION_HISTORY_DATABASE: url } : env };
  // What is wrong is said before anything starts.
  consoleSettings(options);
  return options;
}
