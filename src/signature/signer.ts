import type { JsonWebKey, KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { anything, type OptionsOf, readOptions, text } from "../base/options.js";
import type { SessionSigner } from "../contract/signed-mark.js";
import { claimsOf, createSignatureId, signatureType } from "./claims.js";
import { readPrivateKey } from "./key.js";

/** Options of {@link createSessionSigner}. */
export interface SessionSignerOptions {
  /** The gateway's private key, Ed25519 or P-256: a JWK, or what Node's `createPrivateKey` makes of a PEM file. */
  key: JsonWebKey | KeyObject;
  /** The id by which services find the public key. By default, the JWK's `kid`. */
  keyId?: string | undefined;
  /** The service, or group of services, that the marks are for: verifiers of another audience refuse them. */
  audience: string;
}

/** The options of a signer. What a key must be is checked when it is read. */
export const signerTable: OptionsOf<{
  readonly key: unknown;
  readonly keyId: string | undefined;
  readonly audience: string;
}> = {
  key: {
    ...anything({ meaning: "The gateway's private key" }),
    required: true,
    expects: "an Ed25519 or P-256 key",
    secret: true,
  },
  keyId: text({
    meaning: "The id by which services find the public key",
    defaultText: "the `kid` of the JWK",
    expects: "a text of 1 to 256 characters",
    pattern: /^.{1,256}$/s,
  }),
  audience: text({ meaning: "The service, or group of services, that the marks are for", required: true }),
};

/**
 * Creates what signs a gateway's marks: give it to `createSessionGatewayInterceptor` as `sign`.
 *
 * An Ed25519 key signs with EdDSA, a P-256 key with ES256. Throws a TypeError for options that are wrong.
 */
export function createSessionSigner(options: SessionSignerOptions): SessionSigner {
  const { audience, ...given } = readOptions("createSessionSigner", signerTable, options);
  const { key, keyId, algorithm } = readPrivateKey(given.key, given.keyId);
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
