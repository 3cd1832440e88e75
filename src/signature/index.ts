export type { SignatureAlgorithm } from "./claims.js";
export type { FetchProblem } from "./fetch-failure.js";
export type { SessionKey } from "./key.js";
export {
  createSessionKeySet,
  type SessionKeySet,
  type SessionKeySetOptions,
  type SessionKeySetStats,
} from "./key-set.js";
export { createSessionSigner, type SessionSignerOptions } from "./signer.js";
export { createSessionVerifier, type SessionVerifierOptions } from "./verifier.js";
export {
  type SessionActivityVerification,
  type SessionActivityVerificationOptions,
  type SignedActivity,
  verifySessionActivity,
} from "./verify-activity.js";
