import { errorCode, errorMessage, isError } from "../../base/errors.js";
import { type FailureClass, withFailure } from "../../base/failure.js";
import type { PackageManager } from "../../base/package-manager.js";

/** The package that speaks to Kafka. */
const packageName = "@confluentinc/kafka-javascript";
/** The command of this package that makes its native part load. */
const installCommand = "session-activity install-kafka-client";

/**
 * Why the Kafka client cannot be used. The codes are stable: programs may compare them.
 *
 * - `ERR_KAFKA_CLIENT_MISSING`: it is not installed
 * - `ERR_KAFKA_CLIENT_NOT_BUILT`: it is installed, but its install script did not run or failed, so its native part is missing
 * - `ERR_KAFKA_CLIENT_BUNDLED`: a bundler put it into a file of its own making, where it cannot find its native part
 * - `ERR_KAFKA_CLIENT_NOT_LOADED`: it is there and cannot be loaded, such as when it was built for another Node
 * - `ERR_KAFKA_CLIENT_WORKER_THREAD`: this is a worker thread, where its native part would end the whole process
 */
export type KafkaClientErrorCode =
  | "ERR_KAFKA_CLIENT_MISSING"
  | "ERR_KAFKA_CLIENT_NOT_BUILT"
  | "ERR_KAFKA_CLIENT_BUNDLED"
  | "ERR_KAFKA_CLIENT_NOT_LOADED"
  | "ERR_KAFKA_CLIENT_WORKER_THREAD";

/** What needs the Kafka client throws this if the client cannot be used. The message says why, and what to do. */
export interface KafkaClientError extends Error {
  readonly code: KafkaClientErrorCode;
  /** It stays until somebody acts. */
  readonly failure: FailureClass & "permanent";
}

/** Whether the Kafka client cannot be used. */
export function isKafkaClientError(error: unknown): error is KafkaClientError {
  return errorCode(error)?.startsWith("ERR_KAFKA_CLIENT_") === true;
}

/** The error of whoever asks for the client in a worker thread. */
export function workerThreadError(): KafkaClientError {
  const advice =
    'Use it in the main thread or in a process of its own. In vitest, set pool: "forks". In Jest, leave workerThreads out. A test that needs no Kafka takes its publisher from connect-session-activity/testing.';
  const message = `The Kafka client does not work in a worker thread: it would end the whole process. ${advice}`;
  return clientError("ERR_KAFKA_CLIENT_WORKER_THREAD", message);
}

/** Says what is wrong and what to type, for what loading the client threw. */
export function loadError(cause: unknown, manager: PackageManager): KafkaClientError {
  const text = errorMessage(cause);
  if (errorCode(cause) === "MODULE_NOT_FOUND" && text.includes(packageName)) {
    const message = `The Kafka client is not installed. Run: ${manager.install(packageName)}`;
    return clientError("ERR_KAFKA_CLIENT_MISSING", message, cause);
  }
  if (isBundled(cause)) return bundled(cause);
  if (text.startsWith("Could not locate the bindings file")) return notBuilt(cause, manager);
  const problem = text.replaceAll(/\s+/g, " ").trim().slice(0, 300);
  const message = `The native part of ${packageName} cannot be loaded (${problem}). If it was made for another Node or another machine, run "${manager.run(installCommand)}".`;
  return clientError("ERR_KAFKA_CLIENT_NOT_LOADED", message, cause);
}

function notBuilt(cause: unknown, manager: PackageManager): KafkaClientError {
  const message = [
    `The native part of ${packageName} is missing: its install script, which fetches or builds it, did not run or failed.`,
    `${manager.name} runs such a script only if that is permitted. Run "${manager.run(installCommand)}", which does the same.`,
  ].join(" ");
  return clientError("ERR_KAFKA_CLIENT_NOT_BUILT", message, cause);
}

function bundled(cause: unknown): KafkaClientError {
  const message = `The Kafka client was bundled, and cannot find its native part from there. Name ${packageName} among the bundler's externals, and install it beside the bundle.`;
  return clientError("ERR_KAFKA_CLIENT_BUNDLED", message, cause);
}

/**
 * What fails inside the client fails in a file of its folder, or of the package by which it looks for its native part. If no
 * such file shows, a bundler has taken the code elsewhere. How it fails then is a matter of chance.
 */
function isBundled(cause: unknown): boolean {
  if (!isError(cause)) return false;
  const { stack = "" } = cause;
  return /\n +at /.test(stack) && !/[\\/](kafka-javascript|bindings)[\\/]/.test(stack);
}

function clientError(code: KafkaClientErrorCode, message: string, cause?: unknown): KafkaClientError {
  const error = new Error(message, cause === undefined ? undefined : { cause });
  return Object.assign(withFailure(error, "permanent"), { code, failure: "permanent" as const });
}
