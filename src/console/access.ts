import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { ConsoleSettings } from "./console-options.js";
import { systemUser } from "./system-user.js";

/** Whether a request may go on, and for whom; or with which status it is refused, and why. */
export type Access =
  | { readonly kind: "granted"; readonly user: string }
  | { readonly kind: "entered"; readonly cookie: string | undefined }
  | { readonly kind: "refused"; readonly status: 401 | 403 | 405 | 421; readonly reason: string };

/** Who may come in. */
export interface Gate {
  /** The address to print: it opens the console once. */
  readonly address: string;
  /** Judges a request. A request with the token uses it up. */
  judge(request: IncomingMessage, url: URL): Access;
}

type GateSettings = Pick<ConsoleSettings, "host" | "proxyHeader" | "proxyAddresses" | "publicOrigin">;

const secretBytes = 32;
/** An address that nobody opened must not lie around in a terminal's log for ever. */
const tokenLifetimeMs = 3_600_000;
/** A working day. After that, the console must be started again. */
const cookieSeconds = 12 * 3_600;
const maxUserCharacters = 256;

/** Creates the gate of a console that listens on this port. */
export function createGate(settings: GateSettings, port: number): Gate {
  const { host, proxyHeader, publicOrigin } = settings;
  const hosts = hostsOf(host, port);
  const origins = new Set([...hosts].map((own) => `http://${own}`));
  if (publicOrigin !== undefined) {
    hosts.add(new URL(publicOrigin).host);
    origins.add(publicOrigin);
  }
  const home = publicOrigin ?? `http://${bracketed(isEverywhere(host) ? "127.0.0.1" : host)}:${port}`;
  const login = proxyHeader === undefined ? createTokenLogin(port) : createProxyLogin(proxyHeader, settings);
  return {
    address: `${home}/${login.query}`,
    judge: (request, url) => refusalOf(request, url, hosts, origins) ?? login.judge(request, url),
  };
}

/** The names by which this machine may be spoken to. Any other one comes from a page that wants to look like us. */
function hostsOf(host: string, port: number): Set<string> {
  const names = ["127.0.0.1", "localhost", "[::1]", ...(isEverywhere(host) ? [] : [bracketed(host)])];
  return new Set(names.flatMap((name) => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])));
}

function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host.toLowerCase();
}

/** What is wrong with a request, whoever sends it. */
function refusalOf(
  { method, headers }: IncomingMessage,
  { pathname }: URL,
  hosts: ReadonlySet<string>,
  origins: ReadonlySet<string>,
): Access | undefined {
  if (!hosts.has(headers.host?.toLowerCase() ?? "")) return refused(421, "the Host header does not name this console");
  const { origin } = headers;
  if (origin !== undefined && !origins.has(origin)) return refused(403, "the request comes from another origin");
  if (!isOwnFetch(headers) && !(method === "GET" && isLink(headers, pathname)))
    return refused(403, "the request comes from another site");
  if (method === "GET" || method === "HEAD") return undefined;
  if (method !== "POST") return refused(405, "GET and POST only");
  return isOwnPost(headers) ? undefined : refused(403, "a POST must come from the console's own page");
}

/**
 * Whether the browser says that one of our pages asks, or the user by hand. A cookie does not tell: SameSite goes by the host,
 * and a page of another port on this machine is of the same site. What is no browser sends no such header, and has no cookie.
 */
function isOwnFetch({ "sec-fetch-site": site }: IncomingHttpHeaders): boolean {
  return site === undefined || site === "same-origin" || site === "none";
}

/** Whether it is a link from somewhere else to a view. What that shows, it shows to the user, and not to where the link stands. */
function isLink(headers: IncomingHttpHeaders, pathname: string): boolean {
  const isDocument = headers["sec-fetch-mode"] === "navigate" && headers["sec-fetch-dest"] === "document";
  return isDocument && !pathname.startsWith("/api/");
}

/** A form of another page cannot set this type, and sends its origin. */
function isOwnPost(headers: IncomingHttpHeaders): boolean {
  return headers.origin !== undefined && headers["content-type"] === "application/json";
}

interface Login {
  /** What the address ends with. */
  readonly query: string;
  judge(request: IncomingMessage, url: URL): Access;
}

/** Whoever opens the printed address first gets the cookie. */
function createTokenLogin(port: number): Login {
  const token = createSecret();
  const cookie = createSecret();
  // Browsers send a cookie to all ports of a host: two consoles must not overwrite each other's.
  const name = `session-activity-console-${port}`;
  const user = systemUser();
  const createdAt = Date.now();
  let enteredAt: number | undefined;

  function isInside({ cookie: header }: IncomingHttpHeaders): boolean {
    if (enteredAt === undefined || Date.now() - enteredAt > cookieSeconds * 1_000) return false;
    return cookie.matches(readCookie(header, name));
  }

  function enter(given: string, { method, headers }: IncomingMessage): Access {
    // Whoever is inside may open the address again.
    if (isInside(headers)) return { kind: "entered", cookie: undefined };
    if (method !== "GET" || isPrefetch(headers)) return refused(403, "the address is to be opened by hand");
    if (enteredAt !== undefined || Date.now() - createdAt > tokenLifetimeMs || !token.matches(given)) {
      return refused(401, "the address was used already, or is too old");
    }
    enteredAt = Date.now();
    const attributes = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${cookieSeconds}`;
    return { kind: "entered", cookie: `${name}=${cookie.text}; ${attributes}` };
  }

  return {
    query: `?token=${token.text}`,
    judge(request, url) {
      const given = url.pathname === "/" ? url.searchParams.get("token") : null;
      if (given !== null) return enter(given, request);
      if (isInside(request.headers)) return { kind: "granted", user };
      return refused(401, "open the address that the console printed when it started");
    },
  };
}

function isPrefetch(headers: IncomingHttpHeaders): boolean {
  return headers["sec-purpose"] !== undefined || headers["purpose"] !== undefined;
}

/** The proxy has let the user in, and says who it is. */
function createProxyLogin(header: string, { proxyAddresses }: GateSettings): Login {
  const name = header.toLowerCase();
  const addresses = new Set(proxyAddresses);
  return {
    query: "",
    judge({ headers, socket }) {
      const peer = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
      if (!addresses.has(peer)) return refused(403, "the request does not come from the configured proxy");
      const user = headers[name];
      if (typeof user !== "string" || user.trim() === "") return refused(401, "the proxy names no user");
      return { kind: "granted", user: user.trim().slice(0, maxUserCharacters) };
    },
  };
}

interface Secret {
  readonly text: string;
  /** Takes the same time for whatever is given. */
  matches(given: string): boolean;
}

function createSecret(): Secret {
  const text = randomBytes(secretBytes).toString("base64url");
  const digest = digestOf(text);
  return { text, matches: (given) => timingSafeEqual(digestOf(given), digest) };
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function readCookie(header: string | undefined, name: string): string {
  const pairs = (header ?? "").split(";").map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
}

function refused(status: 401 | 403 | 405 | 421, reason: string): Access {
  return { kind: "refused", status, reason };
}
