import type { TroubleLog } from "../../base/log.js";
import type { NativeClient, NativeLogLine } from "./kafka-client.js";
import { type KafkaTrouble, kafkaTroubles } from "./kafka-troubles.js";

/** A kind of trouble, how librdkafka words it, and what to do about it. */
interface KnownTrouble {
  readonly kind: KafkaTrouble;
  readonly wording: RegExp;
  readonly advice: string;
}

/** The first one that fits counts. */
const knownTroubles: readonly KnownTrouble[] = [
  {
    kind: "kafka_certificate",
    wording: /certificate verify failed/,
    advice:
      "Kafka's certificate is not trusted: ssl.ca.location must name the authority that issued it, and brokers the host that it is for",
  },
  {
    kind: "kafka_client_certificate",
    wording: /alert .*(certificate|unknown ca)/,
    advice:
      "Kafka did not accept this client's certificate: check ssl.certificate.location, and that the brokers trust who issued it",
  },
  {
    kind: "kafka_tls",
    wording: /\bSSL\b/,
    advice: "No TLS connection to Kafka: check security.protocol, and that brokers names listeners for TLS",
  },
  {
    kind: "kafka_login",
    wording: /\bSASL\b/,
    advice: "Kafka refused the login: check sasl.mechanism, and the user's name and password or the token",
  },
  {
    kind: "kafka_idempotence",
    wording: /idempotence PID.*authorization failed/,
    advice:
      "Kafka does not allow this client's user to write anywhere: grant it WRITE on the topic, and before Kafka 3.0 also IDEMPOTENT_WRITE on the cluster",
  },
];

/** What librdkafka reports as an error without a word on its cause, and says better in a log line of `FAIL`. */
const toldByLogLines =
  /^(ssl error|authentication failure|broker transport failure|host resolution failure|cluster authorization failed)$/;

/** Receives what is to be acted on, and not only read. */
export interface ClientLogObserver {
  /** A broker did not accept the credentials. */
  loginRefused?(): void;
}

/**
 * Hands what librdkafka has to say to the log. Known troubles are told by what to do about them; any other facility that is
 * listed is a kind of trouble of its own, and the rest is one more. Each kind is reported once a minute at most.
 *
 * Neither listener may throw, since that would end the process; the log never does.
 */
export function bridgeClientLog(
  client: NativeClient,
  log: TroubleLog<KafkaTrouble>,
  observer: ClientLogObserver = {},
): void {
  client.on("event.log", (line) => report(line, log, observer));
  // The code is always -1 here: there is nothing to decide on, only something to read.
  client.on("event.error", ({ message }) => {
    if (/all broker connections are down/.test(message)) {
      log.warn(
        "kafka_down",
        {},
        "No broker can be reached: is Kafka running, and do brokers and security.protocol match it?",
      );
    } else if (!toldByLogLines.test(message)) {
      log.warn("kafka_client_error", { error: message }, "Kafka client error");
    }
  });
}

function report(
  { severity, fac, message }: NativeLogLine,
  log: TroubleLog<KafkaTrouble>,
  observer: ClientLogObserver,
): void {
  // What is still queued at the end is counted.
  if (fac === "TERMINATE") return;
  // Below warnings librdkafka speaks only if the user asked for it, by `log_level` or `debug`: unlimited.
  if (severity > 4) {
    log.info({ facility: fac }, message);
    return;
  }
  const known = knownTroubles.find(({ wording }) => wording.test(message));
  if (known?.kind === "kafka_login") observer.loginRefused?.();
  const level = severity <= 3 ? "error" : "warn";
  if (known === undefined) log[level](kindOf(fac), { facility: fac }, message);
  else log[level](known.kind, { facility: fac, cause: message }, known.advice);
}

function kindOf(facility: string): KafkaTrouble {
  const kind = `kafka_client_${facility.toLowerCase()}`;
  return kafkaTroubles.find((known) => known === kind) ?? "kafka_client_other";
}
