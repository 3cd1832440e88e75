/** The headers with which a gateway marks a call. */
export const sessionHeaders = {
  /** The value `true` asks for an event. */
  track: "x-session-track",
  /** The encoded session context. It is opaque to the service, and handed on to downstream services. */
  context: "x-session-context",
  /** A label for the call, such as `change_password`. Optional. */
  operation: "x-session-operation",
  /** The gateway's signature over the mark. Optional. */
  signature: "x-session-signature",
} as const;

const operationPattern = /^[A-Za-z0-9_.:/-]{1,128}$/;

// A stranger may send 60 KB of commas: no array of all the parts.
const trackPattern = /(?:^|,)[ \t]*true[ \t]*(?:,|$)/;

// Visible ASCII, with spaces inside only: HTTP strips them at the ends, and mangles or refuses other characters.
const contextPattern = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

// RFC 7515, section 7.1: three parts in base64url. The bound is several times what our claims need.
const signaturePattern = /^[\w-]{1,512}\.[\w-]{1,2048}\.[\w-]{1,512}$/;

// https://www.w3.org/TR/trace-context/#traceparent-header: no version ff, no ids of zeros only.
const traceparentPattern = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/**
 * Whether the value of x-session-track asks for an event: it is `true`, or one of its comma-joined values is.
 *
 * A proxy that appends a header joins its value to the one that a client sent. A client must not be able to switch the mark
 * off in that way.
 */
export function isTrackValue(value: string): boolean {
  return value === "true" || (value.includes(",") && trackPattern.test(value));
}

/** Whether this can be the label of a call: 1 to 128 of `[A-Za-z0-9_.:/-]`. */
export function isOperation(label: string): boolean {
  return operationPattern.test(label);
}

/** Whether a header carries this context as it is. */
export function isContext(context: string): boolean {
  return contextPattern.test(context);
}

/** Whether this can be a signature, a compact JWS. */
export function isSignature(signature: string): boolean {
  return signaturePattern.test(signature);
}

/** Whether a content type is that of gRPC or gRPC-Web. */
export function isGrpcType(contentType: string | null | undefined): boolean {
  return contentType?.startsWith("application/grpc") === true;
}

/** Where headers are read from: Fetch headers, or Node's. */
export type HeaderValues = Pick<Headers, "get">;

/** The W3C trace context of a call. Empty if there is none, or if it is not well-formed. */
export function readTraceparent(header: HeaderValues): string {
  const traceparent = header.get("traceparent");
  return traceparent !== null && traceparentPattern.test(traceparent) ? traceparent : "";
}

/** Deletes what must not pass this service. The context stays, for downstream services. */
export function stripMark(header: Headers): void {
  header.delete(sessionHeaders.track);
  header.delete(sessionHeaders.operation);
  header.delete(sessionHeaders.signature);
}

const allNames = Object.values(sessionHeaders);

/** Whether Node's headers have any of the four. */
export function hasSessionHeader(headers: Readonly<Record<string, string | string[] | undefined>>): boolean {
  return (
    headers[sessionHeaders.track] !== undefined ||
    headers[sessionHeaders.context] !== undefined ||
    headers[sessionHeaders.operation] !== undefined ||
    headers[sessionHeaders.signature] !== undefined
  );
}

/**
 * Deletes the four session headers, and tells how many there were. Other headers that begin with `x-session-` belong to
 * others and stay.
 *
 * Takes Fetch headers, or Node's own (`request.headers`).
 */
export function stripSessionHeaders(headers: Headers | Record<string, string | string[] | undefined>): number {
  let dropped = 0;
  if (isFetchHeaders(headers)) {
    for (const name of allNames) {
      if (!headers.has(name)) continue;
      headers.delete(name);
      dropped += 1;
    }
  } else {
    const names: readonly string[] = allNames;
    for (const name of Object.keys(headers)) {
      if (!names.includes(name.toLowerCase())) continue;
      delete headers[name];
      dropped += 1;
    }
  }
  return dropped;
}

function isFetchHeaders(headers: Headers | Record<string, unknown>): headers is Headers {
  return "delete" in headers && typeof headers.delete === "function";
}
