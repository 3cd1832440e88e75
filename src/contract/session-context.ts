import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ContextKey } from "@connectrpc/connect";
import { type SessionContext, SessionContextSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { wrongValue } from "../base/options.js";
import { cutToBytes } from "../base/text.js";
import { defaultMaxContextBytes, maxContextBytesOption } from "./bounds.js";
import { createSharedKey } from "./shared-key.js";

/**
 * Whether the session context of the call was verified, for handlers: `context.values.get(sessionContextVerifiedKey)`. False if
 * the service does not verify marks, and for a context that came without a mark.
 */
export const sessionContextVerifiedKey: ContextKey<boolean> = createSharedKey<boolean>(
  "whether the session context was verified",
  false,
);

/** The encoded session context of the call, for handlers: `ctx.values.get(sessionContextKey)`. */
export const sessionContextKey: ContextKey<string | undefined> = createSharedKey<string | undefined>(
  "the encoded session context",
  undefined,
);

/** Options of {@link encodeSessionContext} and {@link decodeSessionContext}. */
export interface SessionContextOptions {
  /**
   * The size of the largest encoded context, in bytes of base64. A context over 8,192 must also be let through by the
   * `maxContextBytes` of gateway, services and relays, and by the header limits of all servers in between.
   *
   * @default 8192
   */
  maxBytes?: number | undefined;
}

/** The longest user agent, in bytes of UTF-8. Those of browsers have 80 to 250. */
const maxUserAgentBytes = 512;

/**
 * Encodes a session context as the value of the header x-session-context: the base64 of its binary form.
 *
 * The user agent comes from the client, so a long one is cut to 512 bytes rather than refused. Fields that a newer schema
 * added, and that came in by {@link decodeSessionContext}, are kept.
 *
 * Throws a RangeError if the result is larger than `maxBytes`. Throws a TypeError if a field is not a string, if no field is
 * set, if `signals` has a field's name with another value than the field, or if `maxBytes` is not a whole number from 1
 * upward. The messages name fields and sizes, never values.
 *
 * @example encodeSessionContext({ sessionId: "s-1", userId: "u-1", country: "DE" });
 */
export function encodeSessionContext(
  context: MessageInitShape<typeof SessionContextSchema>,
  options: SessionContextOptions = {},
): string {
  const maxBytes = readMaxBytes(options);
  if (typeof context !== "object" || context === null) {
    throw new TypeError(`a session context must be an object, got ${nameType(context)}`);
  }
  const message = { ...create(SessionContextSchema, context) };
  const { $typeName: _, $unknown: __, signals, ...texts } = message;
  for (const [field, value] of Object.entries(texts)) requireText(field, value);
  for (const value of Object.values(signals)) requireText("signals", value);
  const [twice] = ambiguousSignals(message);
  if (twice !== undefined) {
    throw new TypeError(
      `the session context says ${twice} twice, as a field and in signals, with different values: give it once, as the field`,
    );
  }
  message.userAgent = cutToBytes(message.userAgent, maxUserAgentBytes);
  const encoded = Buffer.from(toBinary(SessionContextSchema, message)).toString("base64");
  if (encoded === "") throw new TypeError("a session context must have at least one field that is set");
  if (encoded.length > maxBytes) throw tooLong(encoded.length, maxBytes);
  return encoded;
}

/**
 * Decodes the value of the header x-session-context, or the `encodedSessionContext` of an event, if the gateway made it with
 * {@link encodeSessionContext}. Base64 without padding is taken, too.
 *
 * Throws a RangeError if the value is larger than `maxBytes`. Throws a TypeError if it is not the base64 of a session context,
 * or if `maxBytes` is not a whole number from 1 upward. The messages never hold the value.
 *
 * @example decodeSessionContext(event.encodedSessionContext).userId
 */
export function decodeSessionContext(encoded: string, options: SessionContextOptions = {}): SessionContext {
  const maxBytes = readMaxBytes(options);
  if (typeof encoded !== "string") {
    throw new TypeError(`an encoded session context must be a string, got ${nameType(encoded)}`);
  }
  if (encoded.length > maxBytes) throw tooLong(encoded.length, maxBytes);
  // Buffer skips what is not base64. The length tells what the pattern lets pass: padding and a last character too few.
  const bare = /^([A-Za-z0-9+/]+)={0,2}$/.exec(encoded)?.[1];
  if (bare === undefined || bare.length % 4 === 1) throw undecodable("it is no base64");
  try {
    return fromBinary(SessionContextSchema, Buffer.from(bare, "base64"));
  } catch {
    // The cause could quote what it stumbled over.
    throw undecodable("its bytes are no SessionContext message");
  }
}

const maxBytesOption = maxContextBytesOption("The largest encoded context");

function readMaxBytes({ maxBytes = defaultMaxContextBytes }: SessionContextOptions): number {
  const read = maxBytesOption.read(maxBytes);
  if (read === undefined) throw wrongValue("maxBytes", maxBytesOption, maxBytes);
  return read;
}

function requireText(field: string, value: unknown): void {
  if (typeof value !== "string") {
    throw new TypeError(`the session context's ${field} must be text, got ${nameType(value)}`);
  }
}

/** The names of fields that `signals` has as well, with another value. A field that is empty says nothing. */
export function ambiguousSignals(context: SessionContext): string[] {
  return SessionContextSchema.fields
    .filter(({ name, localName }) => {
      const field: unknown = Reflect.get(context, localName);
      const signal = Object.hasOwn(context.signals, name) ? context.signals[name] : "";
      return typeof field === "string" && field !== "" && signal !== "" && signal !== field;
    })
    .map(({ name }) => name);
}

/** Names the type and not the value, which could be a user's. */
function nameType(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function tooLong(length: number, maxBytes: number): RangeError {
  return new RangeError(`an encoded session context may have ${maxBytes} characters, but this one has ${length}`);
}

function undecodable(reason: string): TypeError {
  return new TypeError(`this is no encoded session context: ${reason}`);
}
