import { errorCode, isError } from "../base/errors.js";

/** Why a JWKS could not be fetched. */
export type FetchProblem =
  | "refused"
  | "unreachable"
  | "host_unknown"
  | "tls"
  | "timed_out"
  | "cut_off"
  | "not_http"
  | "redirected"
  | "wrong_status"
  | "too_large"
  | "not_json"
  | "not_a_jwks"
  | "no_usable_key"
  | "failed";

/** A fetch that failed: what a log may say of it. */
export interface FetchFailure {
  readonly kind: "failed";
  readonly problem: FetchProblem;
  /** The code that Node or OpenSSL gave, such as `ENOTFOUND`. */
  readonly code?: string | undefined;
  /** The answer's status, if it is the wrong one. */
  readonly status?: number | undefined;
}

/** What was wrong, and what to check. */
export const fetchAdvice: Readonly<Record<FetchProblem, string>> = {
  refused: "nothing listens at its address: check host and port, and whether the gateway runs",
  unreachable: "no way leads to its address: check routes, firewalls and network policies",
  host_unknown: "its host name cannot be resolved: check the spelling, and this machine's DNS",
  tls: "there is no TLS connection that can be trusted: check the server's certificate and its names, and whether the port is one for TLS. An authority of your own goes into NODE_EXTRA_CA_CERTS",
  timed_out: "the whole answer did not come within timeoutMs: check the network and the server",
  cut_off: "the connection ended before the whole answer had come: check the server, and proxies on the way",
  not_http: "the answer is not HTTP/1.1: check the port",
  redirected: "the answer is a redirect, which is not followed: give the address that it leads to",
  wrong_status: "its status is not that of a success: check the path, and the rights of this service",
  too_large: "the answer is larger than 256 KiB: check whether the address is that of a JWKS",
  not_json: "the answer is not JSON: check whether the address is that of a JWKS",
  not_a_jwks: "the answer is JSON without an array of keys: check whether the address is that of a JWKS",
  no_usable_key: "the answer has no Ed25519 or P-256 key with a kid: check which keys the gateway publishes",
  failed: "fetch gave no reason that is known: check the address",
};

/** The codes of Node, undici and OpenSSL by what they mean. */
const meanings: readonly (readonly [RegExp, FetchProblem])[] = [
  [/^ECONNREFUSED$/, "refused"],
  [/^(EHOST|ENET)(UNREACH|DOWN)$|^(EADDRNOTAVAIL|EACCES|EPERM)$/, "unreachable"],
  [/^(ENOTFOUND|EAI_\w+)$/, "host_unknown"],
  [/^(ETIMEDOUT|TimeoutError|UND_ERR_\w+_TIMEOUT)$/, "timed_out"],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/, "cut_off"],
  [/^(HPE_\w+|HTTPParserError|UND_ERR_HEADERS_OVERFLOW)$/, "not_http"],
  [/^(EPROTO|ERR_(SSL|TLS)_\w+|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/, "tls"],
  [/^(CERT|CRL|ERROR_IN|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)_\w+$/, "tls"],
];

/** How deep causes are looked for. */
const maxDepth = 5;

/**
 * Finds out why `fetch` failed. It says "fetch failed" of everything, and the reason stands in the causes. Their messages are
 * left out: some quote the address, which may hold a secret.
 */
export function readFetchError(error: unknown): FetchFailure {
  let cause = error;
  for (let depth = 0; depth < maxDepth && isError(cause); depth++) {
    const code = errorCode(cause);
    const sign = code ?? cause.name;
    const problem = meanings.find(([pattern]) => pattern.test(sign))?.[1];
    if (problem !== undefined) return { kind: "failed", problem, code };
    cause = cause.cause;
  }
  return { kind: "failed", problem: "failed" };
}
