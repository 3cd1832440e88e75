import type { MessageInitShape } from "@bufbuild/protobuf";
import type { SessionContextSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { isOptions, type Option, type OptionsOf, readOptions } from "../base/options.js";
import { isContext, isOperation, sessionHeaders } from "../contract/headers.js";
import { encodeSessionContext } from "../contract/session-context.js";

/** A session: a session context, or a string if the gateway has an encoding of its own. */
export type FakeSession = MessageInitShape<typeof SessionContextSchema> | string;

/** Options of `markHeaders`. */
export interface MarkOptions {
  /**
   * The session that the call belongs to.
   *
   * @default { sessionId: "test-session", userId: "test-user" }
   */
  session?: FakeSession | undefined;
  /**
   * The label of the call. It becomes the `action` of its event.
   *
   * @default none
   */
  operation?: string | undefined;
}

/** The session, as an option. */
export const sessionOption: Option<FakeSession> = {
  meaning: "The session that the calls belong to",
  expects: "a session context, or a text that a header can carry",
  byDefault: { sessionId: "test-session", userId: "test-user" },
  read: (value) => (isSession(value) ? value : undefined),
};

function isSession(value: unknown): value is FakeSession {
  return typeof value === "string" ? isContext(value) : isOptions(value);
}

/** The label, as an option. */
export const operationOption: Option<string | undefined> = {
  meaning: "The label of the calls",
  expects: "1 to 128 of A-Z a-z 0-9 _ . : / -",
  read: (value) => (typeof value === "string" && isOperation(value) ? value : undefined),
};

const markTable: OptionsOf<{ readonly session: FakeSession; readonly operation: string | undefined }> = {
  session: sessionOption,
  operation: operationOption,
};

/**
 * The headers of a call that a gateway marked, without a signature. For tests that call a service by `fetch` or by a client
 * without a gateway.
 *
 * Throws a TypeError if the session context is wrong, and an `OptionError` if an option is.
 *
 * @example await client.changePassword({ oldPassword: "guess" }, { headers: markHeaders({ operation: "change_password" }) });
 */
export function markHeaders(options: MarkOptions = {}): Record<string, string> {
  const { session, operation } = readOptions("markHeaders", markTable, options);
  return {
    [sessionHeaders.track]: "true",
    [sessionHeaders.context]: typeof session === "string" ? session : encodeSessionContext(session),
    ...(operation === undefined ? {} : { [sessionHeaders.operation]: operation }),
  };
}
