import { readFileSync } from "node:fs";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { errorCode } from "../../base/errors.js";
import type { KafkaProperties } from "../../kafka/client/client-options.js";

/** What speaks at an address. */
export type Listener =
  | { readonly kind: "kafka" }
  | { readonly kind: "tls"; readonly certificate: CertificateProblem | undefined; readonly expiresAt: Date | undefined }
  /** It closes or says nothing: a listener of Kafka's may do so if it wants a login or TLS. */
  | { readonly kind: "silent" }
  | { readonly kind: "speaks_tls" | "speaks_http" | "not_tls" | "other" }
  | { readonly kind: "unreachable"; readonly code: string };

/** Why a certificate is not trusted, by OpenSSL's code. */
export type CertificateProblem = string;

const timeoutMs = 3_000;

/** Finds out what speaks at an address, without logging in: as Kafka's client would begin, with TLS or without. */
export async function probeListener(address: string, properties: KafkaProperties): Promise<Listener> {
  const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  const target = { host, port: Number(port) };
  return speaksTls(properties) ? probeTls(target, properties) : probePlain(target);
}

/** Whether the client is to speak TLS. */
function speaksTls(properties: KafkaProperties): boolean {
  return /ssl$/i.test(String(properties["security.protocol"] ?? "plaintext"));
}

interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * ApiVersions, version 0, correlation id 1, no client id: what every listener of Kafka's answers before a login.
 * https://kafka.apache.org/protocol#The_Messages_ApiVersions
 */
const apiVersions: Buffer = Buffer.from("0000000a 0012 0000 00000001 ffff".replaceAll(" ", ""), "hex");

async function probePlain(target: Target): Promise<Listener> {
  const socket = connect(target);
  const first = firstBytes(socket, () => socket.write(apiVersions));
  const answer = await first;
  if (typeof answer === "string") return { kind: "unreachable", code: answer };
  // Length, correlation id.
  if (answer.length >= 8 && answer.readUInt32BE(4) === 1) return { kind: "kafka" };
  // An alert of TLS: somebody did not begin with a greeting.
  if (answer[0] === 0x15 && answer[1] === 0x03) return { kind: "speaks_tls" };
  if (answer.toString("latin1").startsWith("HTTP/")) return { kind: "speaks_http" };
  return answer.length === 0 ? silentOrTls(target) : { kind: "other" };
}

/** A listener that hangs up without a word may be one for TLS: Java's say nothing. */
async function silentOrTls(target: Target): Promise<Listener> {
  const greeted = await probeTls(target, {});
  return greeted.kind === "tls" ? { kind: "speaks_tls" } : { kind: "silent" };
}

async function probeTls({ host, port }: Target, properties: KafkaProperties): Promise<Listener> {
  let ca: Buffer | undefined;
  const file = properties["ssl.ca.location"];
  try {
    ca = typeof file === "string" ? readFileSync(file) : undefined;
  } catch {
    // The client itself says so.
  }
  const servername = isIP(host) === 0 ? { servername: host } : {};
  // What is wrong with the certificate is to be told, and nothing is sent.
  const socket = connectTls({ host, port, ...(ca && { ca }), ...servername, rejectUnauthorized: false });
  try {
    const code = await settled(socket, "secureConnect");
    if (code === undefined) return tlsListener(socket);
    if (/^(EPROTO|ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG))$/.test(code)) return { kind: "not_tls" };
    return code === "ECONNRESET" ? { kind: "not_tls" } : { kind: "unreachable", code };
  } finally {
    socket.destroy();
  }
}

function tlsListener(socket: TLSSocket): Listener {
  const { valid_to: validTo } = socket.getPeerCertificate();
  const expiresAt = validTo === undefined ? undefined : new Date(validTo);
  const problem: unknown = socket.authorizationError;
  const certificate = socket.authorized ? undefined : (errorCode(problem) ?? String(problem));
  return { kind: "tls", certificate, expiresAt };
}

/** The first bytes of an answer, none if there is none, or the code of an error. */
async function firstBytes(socket: Socket, ask: () => void): Promise<Buffer | string> {
  try {
    const code = await settled(socket, "connect");
    if (code !== undefined) return code;
    ask();
    return await new Promise((resolve) => {
      socket.once("data", resolve);
      for (const event of ["end", "error", "timeout"] as const) socket.once(event, () => resolve(Buffer.alloc(0)));
      socket.setTimeout(timeoutMs);
    });
  } finally {
    socket.destroy();
  }
}

/** Resolves when the socket is connected, or with the code of what kept it from that. */
function settled(socket: Socket, event: "connect" | "secureConnect"): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.setTimeout(timeoutMs, () => resolve("ETIMEDOUT"));
    socket.once(event, () => resolve(undefined));
    socket.on("error", (error) => resolve(errorCode(error) ?? "EPROTO"));
    socket.once("close", () => resolve("ECONNRESET"));
  });
}
