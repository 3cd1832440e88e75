import type { JsonWebKey, KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { type Environment, environmentOption, onTopOfEnvironment } from "../base/environment.js";
import { readableFile } from "../base/file-option.js";
import { conflictingOption, missingOption } from "../base/option-error.js";
import { anything, type OptionsOf, readOptions, text } from "../base/options.js";
import type { SessionSigner } from "../contract/signed-mark.js";
import { claimsOf, createSignatureId, signatureType } from "./claims.js";
import { readPrivateKey, type SessionKey } from "./key.js";
import { readPrivateKeyFile } from "./key-file.js";
import { signatureFromEnv } from "./signature-variables.js";

/** Options of {@link createSessionSigner}. */
export interface SessionSignerOptions {
  /** The gateway's private key, Ed25519 or P-256: a JWK, PEM, or a KeyObject. Needed here or in `keyFile`. */
  key?: JsonWebKey | KeyObject | string | undefined;
  /**
   * The path of a file with that key, as PEM or JWK: such as `signing-key.json` of `session-activity keys`. It is read once.
   *
   * @default the variable `SESSION_SIGNATURE_KEY_FILE`
   */
  keyFile?: string | undefined;
  /**
   * The id by which services find the public key.
   *
   * @default the JWK's `kid`, or else the key's thumbprint (RFC 7638)
   */
  keyId?: string | undefined;
  /**
   * The service, or group of services, that the marks are for: verifiers of another audience refuse them.
   *
   * @default the variable `SESSION_SIGNATURE_AUDIENCE`; it is needed here or there
   */
  audience?: string | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
}

/** The options of a signer. What a key must be is checked when it is read. */
export const signerTable: OptionsOf<{
  readonly key: unknown;
  readonly keyFile: string | undefined;
  readonly keyId: string | undefined;
  readonly audience: string;
  readonly env: Environment | false | undefined;
}> = {
  key: {
    ...anything({ meaning: "The gateway's private key: JWK, PEM or KeyObject" }),
    expects: "an Ed25519 or P-256 key",
    secret: true,
  },
  keyFile: readableFile({ meaning: "A file with that key, as PEM or JWK; it is read once", variable: "KEY_FILE" }),
  keyId: text({
    meaning: "The id by which services find the public key",
    defaultText: "the `kid` of the JWK, or the thumbprint of the key",
    expects: "a text of 1 to 256 characters",
    pattern: /^.{1,256}$/s,
  }),
  audience: text({
    meaning: "The service, or group of services, that the marks are for",
    required: true,
    variable: "AUDIENCE",
    instead: "or the variable SESSION_SIGNATURE_AUDIENCE",
  }),
  env: environmentOption,
};

/**
 * Creates what signs a gateway's marks: give it to `createSessionGatewayInterceptor` as `sign`.
 *
 * An Ed25519 key signs with EdDSA, a P-256 key with ES256. Throws a TypeError for options that are wrong.
 */
export function createSessionSigner(options: SessionSignerOptions = {}): SessionSigner {
  const all = onTopOfEnvironment(options, (env, given) => signatureFromEnv(signerTable, env, given, sources));
  const { audience, ...given } = readOptions("createSessionSigner", signerTable, all);
  const { key, keyId, algorithm } = readSigningKey(given);
  const header = { alg: algorithm, kid: keyId, typ: signatureType };
  return {
    sign: (mark) =>
      new SignJWT({ ...claimsOf(mark) })
        .setProtectedHeader(header)
        .setAudience(audience)
        .setIssuedAt()
        .setJti(createSignatureId())
        .sign(key),
  };
}

/** Where the key comes from. */
const sources = ["key", "keyFile"];

interface GivenKey {
  readonly key: unknown;
  readonly keyFile: string | undefined;
  readonly keyId: string | undefined;
}

function readSigningKey({ key, keyFile, keyId }: GivenKey): SessionKey {
  if (key !== undefined && keyFile !== undefined) throw conflictingOption("keyFile", "give key or keyFile, not both");
  if (keyFile !== undefined) return readPrivateKeyFile("keyFile", keyFile, keyId);
  if (key === undefined) throw missingOption("key", signerTable.key.expects, "or keyFile");
  return readPrivateKey("key", key, keyId);
}
