import { isOperation, isSignature, isTrackValue, sessionHeaders } from "./headers.js";

/**
 * What the headers of a call say about its session.
 *
 * - `marked`: a gateway asks for an event, and says what session the call belongs to
 * - `empty`: something asks for an event, and says nothing about the session
 * - `unmarked`: nothing asks for an event
 */
export type Mark = GatewayMark | { readonly kind: "empty" } | { readonly kind: "unmarked" };

/** What a gateway said about one call. */
export interface GatewayMark {
  readonly kind: "marked";
  /** The encoded session context, verbatim. Never empty. */
  readonly context: string;
  /** The operation label. Undefined if there is none, or if it is not well-formed. */
  readonly operation: string | undefined;
  /** The gateway's signature, a compact JWS, verbatim. Empty if there is none, or if it is not well-formed. */
  readonly signature: string;
  /** Whether something came as signature, well-formed or not. */
  readonly hasSignature: boolean;
}

// One of each for all calls: most calls have no mark, and must cost next to nothing.
const unmarked: Mark = { kind: "unmarked" };
const empty: Mark = { kind: "empty" };

/** Reads the mark of a call. */
export function readMark(header: Headers): Mark {
  const track = header.get(sessionHeaders.track);
  if (track === null || !isTrackValue(track)) return unmarked;
  const context = header.get(sessionHeaders.context);
  if (!context) return empty;
  const operation = header.get(sessionHeaders.operation);
  const signature = header.get(sessionHeaders.signature);
  return {
    kind: "marked",
    context,
    operation: operation !== null && isOperation(operation) ? operation : undefined,
    hasSignature: Boolean(signature),
    signature: signature !== null && isSignature(signature) ? signature : "",
  };
}
