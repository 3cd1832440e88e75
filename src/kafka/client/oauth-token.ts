import { conflictingOption, missingOption } from "../../base/option-error.js";
import { callback, type Option } from "../../base/options.js";
import type { KafkaProperties } from "./client-options.js";

/** What a client logs in with at brokers that ask for OAUTHBEARER. */
export interface OAuthToken {
  /** The token as the broker gets it, for example a JWT. */
  readonly value: string;
  /** When it expires: a moment in milliseconds since 1970, as `Date.now()` counts them, and not a duration. */
  readonly lifetimeMs: number;
  /** Whom it is for. The broker reads that from the token itself, so it may be empty. */
  readonly principal: string;
  /** SASL extensions that go along with it. Names are made of letters. */
  readonly extensions?: Readonly<Record<string, string>> | undefined;
}

/**
 * Gives a token. It is called when a client starts, when 80 % of the last token's life are over, and when a broker has refused
 * the last one. If it rejects, gives no usable token, or does not answer within 30 s, it is called again with back-off.
 *
 * Publisher and consumer may each run more than one client, so let it answer for several at a time.
 */
export type OAuthTokenProvider = () => Promise<OAuthToken>;

/** The option that takes the provider. */
export const oauthTokenOption: Option<OAuthTokenProvider | undefined> = callback({
  meaning: "Gives the tokens to log in with at brokers that ask for OAUTHBEARER",
  expects: "a function that resolves to a token",
});

/**
 * The properties of a client with these settings. Its tokens go over TLS, unless the user's properties say `sasl_plaintext`.
 *
 * Throws an `OptionError` if `oauthToken` and the properties contradict each other.
 */
export function withOAuth({
  oauthToken,
  properties,
}: {
  readonly oauthToken: OAuthTokenProvider | undefined;
  readonly properties: KafkaProperties;
}): KafkaProperties {
  checkAgainst(properties, oauthToken);
  if (oauthToken === undefined) return properties;
  const protocol = protocolOf(properties) === "sasl_plaintext" ? "sasl_plaintext" : "sasl_ssl";
  return { ...properties, "security.protocol": protocol, "sasl.mechanisms": "OAUTHBEARER" };
}

function checkAgainst(properties: KafkaProperties, provider: OAuthTokenProvider | undefined): void {
  const mechanism = properties["sasl.mechanisms"] ?? properties["sasl.mechanism"];
  const asksForToken = mechanism === "OAUTHBEARER";
  if (provider !== undefined && mechanism !== undefined && !asksForToken) {
    throw conflictingOption(
      "oauthToken",
      `oauthToken needs the sasl.mechanism OAUTHBEARER, got ${JSON.stringify(mechanism)}: leave the mechanism out`,
    );
  }
  if (provider === undefined && asksForToken && !getsTokenItself(properties)) {
    // It would wait for ever, and say nothing.
    throw missingOption("oauthToken", "a function that resolves to a token", "since sasl.mechanism is OAUTHBEARER");
  }
  const protocol = protocolOf(properties);
  if (provider !== undefined && protocol === "plaintext") {
    throw conflictingOption(
      "oauthToken",
      "oauthToken needs the security.protocol sasl_ssl or sasl_plaintext, got plaintext: leave the protocol out",
    );
  }
}

/** librdkafka's own ways to a token. */
function getsTokenItself(properties: KafkaProperties): boolean {
  const isUnsecured = String(properties["enable.sasl.oauthbearer.unsecure.jwt"]) === "true";
  return isUnsecured || String(properties["sasl.oauthbearer.method"]).toLowerCase() === "oidc";
}

function protocolOf(properties: KafkaProperties): string | undefined {
  return properties["security.protocol"]?.toString().toLowerCase();
}

/**
 * Reads what a provider answered: a token, or what is wrong with it. The latter never quotes the answer.
 *
 * librdkafka checks less, and what it says of a token that it refuses may quote it.
 */
export function readToken(answer: unknown): OAuthToken | string {
  if (typeof answer !== "object" || answer === null) return "no object";
  const { value, lifetimeMs, principal, extensions = {} }: Partial<Record<keyof OAuthToken, unknown>> = answer;
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value))
    return "value is not a string of visible ASCII characters";
  if (typeof lifetimeMs !== "number" || !(lifetimeMs > Date.now() && lifetimeMs <= Number.MAX_SAFE_INTEGER)) {
    return "lifetimeMs is not a moment in the future, in milliseconds since 1970";
  }
  if (typeof principal !== "string") return "principal is not a string";
  if (!isExtensions(extensions)) return "extensions is not an object of strings whose names are letters";
  return { value, lifetimeMs, principal, extensions };
}

function isExtensions(extensions: unknown): extensions is Record<string, string> {
  if (typeof extensions !== "object" || extensions === null) return false;
  return Object.entries(extensions).every(
    ([name, value]) => /^(?!auth$)[A-Za-z]+$/.test(name) && typeof value === "string" && /^[\x20-\x7e]*$/.test(value),
  );
}
