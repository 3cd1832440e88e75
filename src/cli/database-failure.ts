import { errorCode, isError } from "../base/errors.js";

/** Kinds of SQLSTATE whose texts say something of the server or of ours, and never quote what was to be stored. */
const openKinds = /^(08|0A|28|3D|3F|40|42|53|55|57|58|P0)/;
/** What the clients say without a code. */
const openText = /^(Connection terminated|timeout exceeded|Query read timeout|The server does not support SSL)/;
/** What no waiting heals: rights, a database that does not exist, a newer history. */
const finalKinds = /^(0A|22|23|28|3D|3F|42|P0)/;
/** An embedded database's folder that cannot be used. */
const finalFileErrors = /^(EACCES|EBUSY|EEXIST|EISDIR|ENOENT|ENOTDIR|ENOTSUP|EPERM|EROFS)$/;

/** What a log may say of a failure. Its text may quote an event, so it is only there if that cannot be the case. */
export function reasonOf(error: unknown): { readonly code?: string; readonly reason?: string } {
  if (!isError(error)) return { reason: "the embedded database cannot use its folder" };
  const code = errorCode(error);
  if (code === undefined) return openText.test(error.message) ? { reason: error.message } : { reason: error.name };
  return isSqlState(code) && !openKinds.test(code) ? { code } : { code, reason: error.message };
}

/** Whether the database is there and says no, so that trying again does not help. */
export function isRefusal(error: unknown): boolean {
  // What the embedded database's own file system throws is not an Error.
  if (!isError(error)) return true;
  const code = errorCode(error) ?? "";
  return isSqlState(code) ? finalKinds.test(code) : finalFileErrors.test(code);
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]+$/.test(code);
}
