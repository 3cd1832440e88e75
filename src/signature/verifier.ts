import { type Environment, environmentOption, onTopOfEnvironment } from "../base/environment.js";
import { type OptionsOf, oneOf, readOptions } from "../base/options.js";
import type { SessionVerifier } from "../contract/signed-mark.js";
import { type SignatureAlgorithm, signatureAlgorithms } from "./claims.js";
import type { SessionKeySet } from "./key-set.js";
import {
  areClaimsOf,
  audienceOption,
  type CheckOptions,
  checkSignature,
  clockSkewOption,
  keySetOption,
  maxAgeOption,
} from "./signature-check.js";
import { signatureFromEnv } from "./signature-variables.js";

/** Options of {@link createSessionVerifier}. */
export interface SessionVerifierOptions {
  /** The public keys of the gateways. */
  keys: SessionKeySet;
  /**
   * The audience, or audiences, that this service answers to: what its gateways give their signers.
   *
   * @default the variable `SESSION_SIGNATURE_AUDIENCE`, which holds one; it is needed here or there
   */
  audience?: string | readonly string[] | undefined;
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
   * What becomes of a session context that comes without a mark. `"drop"` takes it away: a handler must not read an unverified
   * context that looks verified. A service that is called through a relay needs `"keep"`, since relays hand contexts on without
   * a mark. The first dropped context is logged.
   *
   * @default "drop"
   */
  unmarked?: "keep" | "drop" | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
}

/** The options of a verifier. */
export const verifierTable: OptionsOf<
  CheckOptions & { readonly unmarked: "keep" | "drop"; readonly env: Environment | false | undefined }
> = {
  keys: keySetOption,
  audience: {
    ...audienceOption,
    required: true,
    defaultText: undefined,
    variable: "AUDIENCE",
    instead: "or the variable SESSION_SIGNATURE_AUDIENCE",
  },
  algorithms: {
    meaning: "The algorithms allowed",
    expects: "an array of `EdDSA` and `ES256`",
    byDefault: signatureAlgorithms,
    read: readAlgorithms,
  },
  maxAgeMs: { ...maxAgeOption, variable: "MAX_AGE_MS" },
  clockSkewMs: { ...clockSkewOption, variable: "CLOCK_SKEW_MS" },
  unmarked: oneOf(["keep", "drop"], {
    meaning: "What becomes of a session context that comes without a mark",
    byDefault: "drop",
    variable: "UNMARKED",
  }),
  env: environmentOption,
};

function readAlgorithms(value: unknown): readonly SignatureAlgorithm[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  return value.every((one) => signatureAlgorithms.includes(one)) ? [...value] : undefined;
}

/**
 * Creates what verifies the signatures of marks: give it to `createSessionActivityInterceptor` as `verify`.
 *
 * It only needs what is in memory, so a call never waits for the network. Throws a TypeError for options that are wrong.
 */
export function createSessionVerifier(options: SessionVerifierOptions): SessionVerifier {
  const all = onTopOfEnvironment(options, (env, given) => signatureFromEnv(verifierTable, env, given));
  const { unmarked, env: _, ...checks } = readOptions("createSessionVerifier", verifierTable, all);
  return {
    unmarked,
    async verify(mark, signature) {
      const checked = await checkSignature(signature, new Date(), checks);
      if (typeof checked === "string") return checked;
      return areClaimsOf(mark, checked.claims) ? undefined : "signature_invalid";
    },
  };
}
