import { readMs, wrongOption } from "../base/option-checks.js";
import type { SessionVerifier } from "../contract/signed-mark.js";
import { type SignatureAlgorithm, signatureAlgorithms } from "./claims.js";
import type { SessionKeySet } from "./key-set.js";
import { areClaimsOf, type CheckOptions, checkSignature, readMaxAge } from "./signature-check.js";

/** Options of {@link createSessionVerifier}. */
export interface SessionVerifierOptions {
  /** The public keys of the gateways. */
  keys: SessionKeySet;
  /** The audience, or audiences, that this service answers to: what its gateways give their signers. */
  audience: string | readonly string[];
  /** The algorithms allowed. By default, EdDSA and ES256. There are no others. */
  algorithms?: readonly SignatureAlgorithm[] | undefined;
  /**
   * The age from which a signature counts as expired, in milliseconds. By default, 60,000. Within it, a mark that somebody
   * could read can be sent again: readers see that by the signature's id.
   */
  maxAgeMs?: number | undefined;
  /** How far the clocks of gateway and service may be apart, in milliseconds. By default, 10,000. */
  clockSkewMs?: number | undefined;
  /**
   * What becomes of a session context that comes without a mark. By default, `"keep"`: calls inside the mesh carry one that
   * a service upstream has verified. `"drop"` is for services that strangers reach.
   */
  unmarked?: "keep" | "drop" | undefined;
}

/**
 * Creates what verifies the signatures of marks: give it to `createSessionActivityInterceptor` as `verify`.
 *
 * It only needs what is in memory, so a call never waits for the network. Throws a TypeError for options that are wrong.
 */
export function createSessionVerifier(options: SessionVerifierOptions): SessionVerifier {
  const checks = readOptions(options);
  return {
    unmarked: options.unmarked ?? "keep",
    async verify(mark, signature) {
      const checked = await checkSignature(signature, new Date(), checks);
      if (typeof checked === "string") return checked;
      return areClaimsOf(mark, checked.claims) ? undefined : "signature_invalid";
    },
  };
}

function readOptions(options: SessionVerifierOptions): CheckOptions {
  const { keys, audience, algorithms = signatureAlgorithms, unmarked = "keep" } = options;
  // An array has a find of its own.
  if (Array.isArray(keys) || typeof keys?.find !== "function") throw wrongOption("keys", "a SessionKeySet", keys);
  const audiences = [audience].flat();
  if (audiences.length === 0 || audiences.some((one) => typeof one !== "string" || one === "")) {
    throw wrongOption("audience", "a string, or some, not empty", audience);
  }
  if (!Array.isArray(algorithms) || algorithms.length === 0) throw wrongOption("algorithms", "an array", algorithms);
  const wrong = algorithms.find((one) => !signatureAlgorithms.includes(one));
  if (wrong !== undefined) throw wrongOption("algorithms", `some of ${signatureAlgorithms.join(", ")}`, wrong);
  if (unmarked !== "keep" && unmarked !== "drop") throw wrongOption("unmarked", '"keep" or "drop"', unmarked);
  return {
    keys,
    audience: audiences,
    algorithms: [...algorithms],
    maxAgeMs: readMaxAge(options.maxAgeMs),
    clockSkewMs: readMs("clockSkewMs", options.clockSkewMs, 10_000),
  };
}
