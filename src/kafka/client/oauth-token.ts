import { wrongOption } from "../../base/option-checks.js";

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
 * the last one. Where it rejects, gives no usable token, or does not answer within 30 s, it is called again with back-off.
 *
 * Publisher and consumer may each run more than one client, so let it answer for several at a time.
 */
export type OAuthTokenProvider = () => Promise<OAuthToken>;

type Properties = Readonly<Record<string, string | number | boolean>>;

/** Checks the option against the properties. Throws a `TypeError` where the two contradict each other. */
export function oauthTokenOption(
  provider: OAuthTokenProvider | undefined,
  properties: Properties,
): OAuthTokenProvider | undefined {
  if (provider !== undefined && typeof provider !== "function") {
    throw wrongOption("oauthToken", "a function that resolves to a token", provider);
  }
  const mechanism = properties["sasl.mechanisms"] ?? properties["sasl.mechanism"];
  const asksForToken = mechanism === "OAUTHBEARER";
  if (provider !== undefined && mechanism !== undefined && !asksForToken) {
    throw new TypeError(`oauthToken needs the sasl.mechanism OAUTHBEARER, got ${JSON.stringify(mechanism)}`);
  }
  if (provider === undefined && asksForToken && !getsTokenItself(properties)) {
    // It would wait for ever, and say nothing.
    throw new TypeError("the sasl.mechanism OAUTHBEARER needs the option oauthToken");
  }
  const protocol = protocolOf(properties);
  if (provider !== undefined && protocol === "plaintext") {
    throw wrongOption("security.protocol", "SASL_SSL or SASL_PLAINTEXT where oauthToken is given", protocol);
  }
  return provider;
}

/** librdkafka's own ways to a token. */
function getsTokenItself(properties: Properties): boolean {
  const isUnsecured = String(properties["enable.sasl.oauthbearer.unsecure.jwt"]) === "true";
  return isUnsecured || String(properties["sasl.oauthbearer.method"]).toLowerCase() === "oidc";
}

function protocolOf(properties: Properties): string | undefined {
  return properties["security.protocol"]?.toString().toLowerCase();
}

/** What a client with such an option needs. Its tokens go over TLS unless the user's properties say `sasl_plaintext`. */
export function oauthProperties(provider: OAuthTokenProvider | undefined, properties: Properties): Properties {
  if (provider === undefined) return {};
  const isOpen = protocolOf(properties) === "sasl_plaintext";
  return { "security.protocol": isOpen ? "sasl_plaintext" : "sasl_ssl", "sasl.mechanisms": "OAUTHBEARER" };
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
    return "value is no string of visible ASCII characters";
  if (typeof lifetimeMs !== "number" || !(lifetimeMs > Date.now() && lifetimeMs <= Number.MAX_SAFE_INTEGER)) {
    return "lifetimeMs is no moment in the future, in milliseconds since 1970";
  }
  if (typeof principal !== "string") return "principal is no string";
  if (!isExtensions(extensions)) return "extensions is no object of strings whose names are letters";
  return { value, lifetimeMs, principal, extensions };
}

function isExtensions(extensions: unknown): extensions is Record<string, string> {
  if (typeof extensions !== "object" || extensions === null) return false;
  return Object.entries(extensions).every(
    ([name, value]) => /^(?!auth$)[A-Za-z]+$/.test(name) && typeof value === "string" && /^[\x20-\x7e]*$/.test(value),
  );
}
