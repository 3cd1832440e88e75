import type { OAuthToken } from "../../src/kafka/index.js";

/** A token of Kafka's unsecured kind. The broker looks at its subject and at its expiry, and at nothing else. */
export function unsecuredToken(
  principal: string,
  lifeMs: number,
  expiresAtBrokerMs: number = Date.now() + lifeMs,
): OAuthToken {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString("base64url");
  const claims = { sub: principal, iat: (Date.now() - 60_000) / 1_000, exp: expiresAtBrokerMs / 1_000 };
  const value = `${part({ alg: "none" })}.${part(claims)}.`;
  return { value, lifetimeMs: Date.now() + lifeMs, principal, extensions: { logicalCluster: "lkc-1" } };
}
