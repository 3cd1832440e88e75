import { bad, type Finding, good, warning } from "./finding.js";
import type { Listener } from "./listener-probe.js";

/** What is wrong with an address that cannot be reached, by the code. */
const unreachable: readonly (readonly [RegExp, string, string])[] = [
  [/^ECONNREFUSED$/, "nothing listens there", "check host and port, and whether the broker runs"],
  [/^(ENOTFOUND|EAI_\w+)$/, "its host name cannot be resolved", "check the spelling, and this machine's DNS"],
  [/^ETIMEDOUT$/, "it does not answer", "check firewalls, network policies and the port"],
  [/^(EHOST|ENET)(UNREACH|DOWN)$/, "no way leads there", "check routes, firewalls and network policies"],
];

const dayMs = 86_400_000;
/** So long before a certificate expires, it is to be renewed. */
const renewalMs = 14 * dayMs;

const portAdvice = "check the port: brokers usually listen on 9092 or 9093";

/** What is wrong with what answers, and what to do. */
const wrong: Readonly<Record<Exclude<Listener["kind"], "kafka" | "tls" | "unreachable">, readonly [string, string]>> = {
  speaks_tls: [
    "it speaks TLS, and this client does not",
    "set SESSION_TRACKING_KAFKA_TLS=true, or security.protocol to ssl or sasl_ssl; or use the port for plain connections",
  ],
  not_tls: [
    "it does not speak TLS, and this client does",
    "use the port for TLS, or leave out SESSION_TRACKING_KAFKA_TLS",
  ],
  speaks_http: ["it speaks HTTP: this is not a broker of Kafka", portAdvice],
  other: ["what answers there is not a broker of Kafka", portAdvice],
  silent: [
    "it takes the connection, and does not answer as a broker of Kafka",
    `${portAdvice}; and see whether it wants TLS`,
  ],
};

/** What is to be said of an address, by what speaks there. */
export function findingOfListener(address: string, listener: Listener): Finding {
  const subject = `Address ${address}`;
  if (listener.kind === "kafka") return good(subject, "a broker answers, without TLS");
  if (listener.kind === "tls") return findingOfCertificate(subject, listener);
  if (listener.kind === "unreachable") {
    const [, what = "it cannot be reached", advice = "check host, port and network"] =
      unreachable.find(([code]) => code.test(listener.code)) ?? [];
    return bad(subject, `${what} (${listener.code})`, advice);
  }
  const [says, advice] = wrong[listener.kind];
  return bad(subject, says, advice);
}

function findingOfCertificate(
  subject: string,
  { certificate, expiresAt }: Listener & { readonly kind: "tls" },
): Finding {
  const until = expiresAt === undefined ? "" : `, until ${expiresAt.toISOString().slice(0, 10)}`;
  if (certificate === "CERT_HAS_EXPIRED") {
    return bad(
      subject,
      `its certificate has expired${until.replace(", until", " on")}`,
      "renew the broker's certificate; if it is not old, check this machine's clock",
    );
  }
  if (certificate === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return bad(
      subject,
      "its certificate is for another name",
      "use a name that the certificate has, or issue one with this name",
    );
  }
  if (certificate !== undefined) {
    return bad(
      subject,
      `its certificate is not trusted (${certificate})`,
      "name the authority that issued it: SESSION_TRACKING_KAFKA_TLS_CA_FILE",
    );
  }
  if (expiresAt !== undefined && expiresAt.getTime() - Date.now() < renewalMs) {
    return warning(
      subject,
      `it speaks TLS, and its certificate expires soon${until.replace(", until", " on")}`,
      "renew the broker's certificate",
    );
  }
  return good(subject, `it speaks TLS, with a certificate that is trusted${until}`);
}
