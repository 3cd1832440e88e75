/** What a gateway's signature covers, besides its audience and time: a mark, on a call of one method. */
export interface SignedMark {
  /** The value of x-session-context, verbatim. */
  readonly context: string;
  /** The value of x-session-operation, verbatim, or undefined where there is none. */
  readonly operation: string | undefined;
  /** The method called, `/package.Service/Method`. */
  readonly procedure: string;
}

/** Signs marks, for a gateway. See `connect-session-activity/signature`. */
export interface SessionSigner {
  /**
   * Gives the value of x-session-signature, a compact JWS. The call waits for it, so the key must be in memory.
   *
   * Where this rejects, gives something else or takes more than 5 s, the call is sent without a signature.
   */
  sign(mark: SignedMark): Promise<string>;
}

/**
 * What is wrong with the signature of a mark.
 *
 * - `signature_missing`: there is none
 * - `signature_invalid`: it is no such signature, or it was made for another mark, method or audience
 * - `signature_expired`: it is older than allowed
 * - `key_unknown`: it names a key that is not known
 * - `key_stale`: the keys could not be fetched for so long that they no longer hold
 */
export type SignatureProblem =
  | "signature_missing"
  | "signature_invalid"
  | "signature_expired"
  | "key_unknown"
  | "key_stale";

/** Verifies signatures of marks, for a service. See `connect-session-activity/signature`. */
export interface SessionVerifier {
  /** What becomes of a context that comes without a mark, as relayed inside the mesh: it stays, or is deleted. */
  readonly unmarked: "keep" | "drop";
  /**
   * Resolves to what is wrong, or to undefined where the signature holds. Never rejects. The call waits for it, so the keys
   * must be in memory: what takes more than 5 s counts as `signature_invalid`.
   */
  verify(mark: SignedMark, signature: string): Promise<SignatureProblem | undefined>;
}
