import { errorCode, isError } from "../base/errors.js";
import { type FailureClass, failureOf, withFailure } from "../base/failure.js";

/**
 * What PostgreSQL's codes call for, by their first characters; the first line that fits counts. Those of PGlite are the same.
 * Whatever is not here passes: a code that nobody thought of must not empty a topic.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const sqlStates: readonly (readonly [RegExp, FailureClass])[] = [
  // Not supported, no login, no such database or schema, no rights, no table: somebody has to act. P0 is what our functions say.
  [/^(0A|28|3D|3F|42|P0)/, "permanent"],
  // Values that cannot be stored, break a rule, or are too much for a limit. What goes wrong inside the server goes wrong by
  // what it was given: a page that is broken is one of some sessions, and the others go on.
  [/^(21|22|23|44|54|XX)/, "poison"],
];

/** What poolers and servers say of a connection's settings, with the code of a broken protocol. */
const refusedSettings = /startup parameter|no such (database|user)/i;
/** What the clients say without a code, or without one that tells, and no waiting heals. */
const refusals =
  /server does not support SSL|client password must be a string|embedded database is closed|after calling end on the pool|^PGlite (is closed|failed to initialize)/i;
/** An embedded database's folder that cannot be used. */
const folderCodes = /^(EACCES|EBUSY|EEXIST|EISDIR|ENOENT|ENOTDIR|ENOTSUP|EPERM|EROFS)$/;
/** Node's codes for certificates that do not hold, for wrong arguments, and for wrong options of ours. */
const finalCodes = /^(ERR_(TLS|SSL|OSSL|INVALID|OPTION|ENVIRONMENT)_\w+|(SELF|DEPTH|UNABLE|CERT|HOSTNAME)_\w+)$/;

/** What a failure of a history's database calls for. Never throws, whatever it is. */
export function classifyFailure(error: unknown): FailureClass {
  const noted = failureOf(error);
  if (noted !== undefined) return noted;
  // What the embedded database's own file system throws is not an Error.
  if (!isError(error)) return "permanent";
  const code = errorCode(error) ?? "";
  if (code === "08P01") return refusedSettings.test(error.message) ? "permanent" : "passing";
  if (isSqlState(code)) return sqlStates.find(([kinds]) => kinds.test(code))?.[1] ?? "passing";
  // Code stumbled over what it was given, as over a batch that makes too long a text.
  if (code === "" && /^(Type|Range|Syntax)Error$/.test(error.name)) return "poison";
  if (folderCodes.test(code)) return isConnecting(error) ? "passing" : "permanent";
  return finalCodes.test(code) || refusals.test(error.message) ? "permanent" : "passing";
}

/** A server's socket that is missing is a server that is down. */
function isConnecting(error: Error): boolean {
  return "syscall" in error && error.syscall === "connect";
}

/** The error, with what it calls for noted on it. What cannot be noted on is the cause of one that can. */
export function withDatabaseFailure(error: unknown): Error {
  const failure = classifyFailure(error);
  try {
    if (isError(error)) return withFailure(error, failure);
  } catch {
    // Frozen, perhaps.
  }
  return withFailure(new Error(isError(error) ? "the database failed" : folderReason, { cause: error }), failure);
}

/** What is known if an error says nothing. */
const folderReason = "the embedded database cannot use its folder";

/** Notes on all errors of these methods what they call for. */
export function classified<Methods extends Readonly<Record<string, (...args: never[]) => Promise<unknown>>>>(
  methods: Methods,
): Methods {
  const wrapped = Object.entries(methods).map(([name, method]) => [
    name,
    async (...args: never[]) => {
      try {
        return await method(...args);
      } catch (error) {
        throw withDatabaseFailure(error);
      }
    },
  ]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(wrapped) as Methods;
}

/** Kinds of SQLSTATE whose texts say something of the server or of ours, and never quote what was to be stored. */
const openKinds = /^(08|0A|28|3D|3F|40|42|53|55|57|58|P0)/;
/** What the clients say without a code. */
const openText =
  /^(Connection terminated|timeout exceeded|Query read timeout|The server does not support SSL|the embedded database|the database failed|PGlite failed to initialize)/;

/** What a log may say of a failure. Its text may quote an event, so it is only there if that cannot be the case. */
export function reasonOf(error: unknown): { readonly code?: string; readonly reason?: string } {
  if (!isError(error)) return { reason: folderReason };
  const code = errorCode(error);
  if (code === undefined) return openText.test(error.message) ? { reason: error.message } : { reason: error.name };
  return isSqlState(code) && !openKinds.test(code) ? { code } : { code, reason: error.message };
}

/** Whether the database is there and says no, so that trying again does not help. */
export function isRefusal(error: unknown): boolean {
  return classifyFailure(error) !== "passing";
}

/** Whether this is a code of PostgreSQL, and not of Node. */
export function isSqlState(code: string | undefined): code is string {
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
}
