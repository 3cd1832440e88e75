import { type Environment, type Problems, readVariables, variablesOf } from "../../base/environment.js";
import { readableFile } from "../../base/file-option.js";
import { type Option, type OptionsOf, oneOf, parseFlag, readOptions, text } from "../../base/options.js";
import type { KafkaProperties } from "../client/client-options.js";

/** How to reach brokers that want TLS or a login. In code these are librdkafka properties. */
export interface SecuritySettings {
  readonly tls: boolean | undefined;
  readonly tlsCaFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  readonly tlsKeyPassword: string | undefined;
  readonly saslMechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | undefined;
  readonly saslUsername: string | undefined;
  readonly saslPassword: string | undefined;
}

/** The variables of these. */
export const securityTable: OptionsOf<SecuritySettings> = {
  tls: {
    meaning: "Encrypts the connection to Kafka",
    expects: "true or false",
    defaultText: "`true` with SASL or a TLS file, else `false`",
    variable: "KAFKA_TLS",
    read: (value) => (typeof value === "boolean" ? value : undefined),
    parse: parseFlag,
  },
  tlsCaFile: file("KAFKA_TLS_CA_FILE", "Certificates to trust, PEM", "the system's"),
  tlsCertFile: file("KAFKA_TLS_CERT_FILE", "This client's certificate, PEM"),
  tlsKeyFile: file("KAFKA_TLS_KEY_FILE", "This client's private key, PEM"),
  tlsKeyPassword: secret("KAFKA_TLS_KEY_PASSWORD", "Decrypts the private key"),
  saslMechanism: oneOf(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], {
    meaning: "How to log in; needs user name and password",
    defaultText: "none",
    variable: "KAFKA_SASL_MECHANISM",
  }),
  saslUsername: text({
    meaning: "The user to log in as",
    defaultText: "none",
    variable: "KAFKA_SASL_USERNAME",
  }),
  saslPassword: secret("KAFKA_SASL_PASSWORD", "The user's password"),
};

/** Reads TLS and SASL from environment variables, as librdkafka calls them. */
export function readSecurity(prefix: string, env: Environment, problems: Problems): KafkaProperties {
  const given = readVariables(variablesOf(prefix, securityTable), env, problems);
  const settings = readOptions("the environment", securityTable, given);
  findContradictions(settings, `${prefix}KAFKA_`, problems);
  return securityProperties(settings);
}

/** What no variable shows by itself. Of one variable only the first problem counts: a wrong value is not a missing one. */
function findContradictions(s: SecuritySettings, prefix: string, problems: Problems): void {
  const expect = (suffix: string, holds: boolean, expected: string, received = "not set"): void => {
    const name = `${prefix}${suffix}`;
    if (!holds && !problems.has(name)) problems.set(name, { received, expected });
  };
  const { tlsCaFile, tlsCertFile, tlsKeyFile, tlsKeyPassword, saslMechanism, saslUsername, saslPassword } = s;
  const tlsFile = tlsCaFile ?? tlsCertFile ?? tlsKeyFile;
  expect("TLS", s.tls !== false || tlsFile === undefined, "true or no TLS files", '"false"');
  expect("TLS_CERT_FILE", !!tlsCertFile || !tlsKeyFile, "the certificate that belongs to the key");
  expect("TLS_KEY_FILE", !!tlsKeyFile || !tlsCertFile, "the key that belongs to the certificate");
  expect("TLS_KEY_FILE", !!tlsKeyFile || !tlsKeyPassword, "the key that belongs to the password");
  const sasl = saslMechanism ?? saslUsername ?? saslPassword;
  expect("SASL_MECHANISM", !!saslMechanism || !sasl, "one, since SASL credentials are");
  expect("SASL_USERNAME", !!saslUsername || !sasl, "one, as SASL needs it");
  expect("SASL_PASSWORD", !!saslPassword || !sasl, "one, as SASL needs it");
}

/** TLS and SASL as librdkafka calls them. Credentials go over TLS unless that is switched off in so many words. */
function securityProperties(s: SecuritySettings): KafkaProperties {
  const sasl = s.saslMechanism !== undefined;
  const tls = s.tls ?? (sasl || s.tlsCaFile !== undefined || s.tlsCertFile !== undefined);
  const properties = {
    "security.protocol": tls || sasl ? [sasl ? "sasl" : [], tls ? "ssl" : "plaintext"].flat().join("_") : undefined,
    "ssl.ca.location": s.tlsCaFile,
    "ssl.certificate.location": s.tlsCertFile,
    "ssl.key.location": s.tlsKeyFile,
    "ssl.key.password": s.tlsKeyPassword,
    "sasl.mechanism": s.saslMechanism,
    "sasl.username": s.saslUsername,
    "sasl.password": s.saslPassword,
  };
  return Object.fromEntries(
    Object.entries(properties).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function file(variable: string, meaning: string, defaultText = "none"): Option<string | undefined> {
  return readableFile({ meaning, defaultText, variable });
}

function secret(variable: string, meaning: string): Option<string | undefined> {
  return text({ meaning, defaultText: "none", secret: true, pattern: /./s, variable });
}
