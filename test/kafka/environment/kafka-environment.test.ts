import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { sessionTrackingFromEnv, trackingVariables } from "../../../src/kafka/environment/kafka-environment.js";

const folder = mkdtempSync(join(tmpdir(), "environment-"));
const pem = join(folder, "some.pem");
writeFileSync(pem, "");
afterAll(() => rmSync(folder, { recursive: true }));

/** The error's lines, without the first. */
function problems(env: Record<string, string>): string[] {
  try {
    sessionTrackingFromEnv(env);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return error.message.split("\n").slice(1);
  }
  return [];
}

describe("what the variables configure", () => {
  test("nothing set: no options", () => {
    const options = sessionTrackingFromEnv({});
    expect(options).toEqual({ kafka: {} });
  });

  test("empty values count as not set, also those of blanks and of unknown names", () => {
    const env = Object.fromEntries(trackingVariables.map(({ name }) => [name, ""]));
    const options = sessionTrackingFromEnv({ ...env, SESSION_TRACKING_SERVICE: "  ", SESSION_TRACKING_OTHER: "" });
    expect(options).toEqual(sessionTrackingFromEnv({}));
  });

  test("every option by its variable", () => {
    const options = sessionTrackingFromEnv({
      SESSION_TRACKING_SERVICE: " user-service ",
      SESSION_TRACKING_KAFKA_BROKERS: "one:9092, [::1]:9093",
      SESSION_TRACKING_KAFKA_TOPIC: "security.activity",
      SESSION_TRACKING_KAFKA_CLIENT_ID: "users",
      SESSION_TRACKING_KAFKA_CLOUD_EVENTS: "true",
      SESSION_TRACKING_KAFKA_MAX_QUEUED_EVENTS: "10",
      SESSION_TRACKING_KAFKA_MAX_QUEUED_BYTES: "4096",
      SESSION_TRACKING_KAFKA_DELIVERY_TIMEOUT_MS: "60000",
      SESSION_TRACKING_KAFKA_CLOSE_TIMEOUT_MS: "1000",
      SESSION_TRACKING_SETTLE_TIMEOUT_MS: "2000",
      SESSION_TRACKING_DRAIN_TIMEOUT_MS: "3000",
      SESSION_TRACKING_MAX_CONTEXT_BYTES: "1024",
      SESSION_TRACKING_MAX_UNVERIFIED_PER_MINUTE: "60",
      SESSION_TRACKING_REQUIRED: "/example.account.v1.AccountService/Login, /a.B/C",
      SESSION_TRACKING_KAFKA_COMPRESSION: "gzip",
      SESSION_TRACKING_KAFKA_PROPERTIES: '{"linger.ms":50}',
      PATH: "/bin",
    });
    expect(options).toEqual({
      service: "user-service",
      settleTimeoutMs: 2000,
      drainTimeoutMs: 3000,
      maxContextBytes: 1024,
      maxUnverifiedPerMinute: 60,
      required: ["/example.account.v1.AccountService/Login", "/a.B/C"],
      kafka: {
        compression: "gzip",
        brokers: "one:9092, [::1]:9093",
        topic: "security.activity",
        clientId: "users",
        cloudEvents: true,
        maxQueuedEvents: 10,
        maxQueuedBytes: 4096,
        deliveryTimeoutMs: 60_000,
        closeTimeoutMs: 1000,
        properties: { "linger.ms": 50 },
      },
    });
  });

  test.each(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])(
    "SASL %s goes over TLS unless that is switched off",
    (mechanism) => {
      const sasl = {
        SESSION_TRACKING_KAFKA_SASL_MECHANISM: mechanism,
        SESSION_TRACKING_KAFKA_SASL_USERNAME: "user",
        SESSION_TRACKING_KAFKA_SASL_PASSWORD: " with spaces ",
      };
      expect(sessionTrackingFromEnv(sasl).kafka?.properties).toEqual({
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": mechanism,
        "sasl.username": "user",
        "sasl.password": " with spaces ",
      });
      const plain = sessionTrackingFromEnv({ ...sasl, SESSION_TRACKING_KAFKA_TLS: "false" });
      expect(plain.kafka?.properties?.["security.protocol"]).toBe("sasl_plaintext");
    },
  );

  test("TLS files switch TLS on", () => {
    const options = sessionTrackingFromEnv({
      SESSION_TRACKING_KAFKA_TLS_CA_FILE: pem,
      SESSION_TRACKING_KAFKA_TLS_CERT_FILE: pem,
      SESSION_TRACKING_KAFKA_TLS_KEY_FILE: pem,
      SESSION_TRACKING_KAFKA_TLS_KEY_PASSWORD: "secret",
    });
    expect(options.kafka?.properties).toEqual({
      "security.protocol": "ssl",
      "ssl.ca.location": pem,
      "ssl.certificate.location": pem,
      "ssl.key.location": pem,
      "ssl.key.password": "secret",
    });
  });

  test("TLS alone trusts what the system trusts", () => {
    const options = sessionTrackingFromEnv({ SESSION_TRACKING_KAFKA_TLS: "true" });
    expect(options.kafka?.properties).toEqual({ "security.protocol": "ssl" });
  });
});

describe("what the variables get wrong", () => {
  const wrong: readonly [string, string][] = [
    ["KAFKA_BROKERS", "kafka"],
    ["KAFKA_BROKERS", "kafka:9092;kafka2:9092"],
    ["KAFKA_TOPIC", "a topic"],
    ["KAFKA_TOPIC", ".."],
    ["KAFKA_CLOUD_EVENTS", "yes"],
    ["KAFKA_TLS", "1"],
    ["KAFKA_TLS_CA_FILE", "/no/such/file.pem"],
    ["KAFKA_SASL_MECHANISM", "GSSAPI"],
    ["KAFKA_MAX_QUEUED_EVENTS", "0"],
    ["KAFKA_MAX_QUEUED_BYTES", "32M"],
    ["KAFKA_DELIVERY_TIMEOUT_MS", "-1"],
    ["KAFKA_CLOSE_TIMEOUT_MS", "1.5"],
    ["SETTLE_TIMEOUT_MS", "1e3"],
    ["DRAIN_TIMEOUT_MS", "2147483648"],
    ["MAX_CONTEXT_BYTES", "many"],
    ["SERVICE", "a\u0007b"],
  ];
  test.each(wrong)("%s = %j: the error names variable, value and expectation", (suffix, value) => {
    const name = `SESSION_TRACKING_${suffix}`;
    const row = trackingVariables.find((known) => known.name === name);
    expect(problems({ [name]: value })).toContain(
      `- ${name} is ${JSON.stringify(value)}, expected ${row?.option.expects}`,
    );
  });

  test("an unknown name suggests the nearest", () => {
    expect(problems({ SESSION_TRACKING_KAFKA_BROKER: "kafka:9092", session_tracking_service: "x" })).toEqual([
      "- SESSION_TRACKING_KAFKA_BROKER is unknown, did you mean SESSION_TRACKING_KAFKA_BROKERS?",
      "- session_tracking_service is unknown, did you mean SESSION_TRACKING_SERVICE?",
    ]);
  });

  test("all problems stand in one error", () => {
    const all = Object.fromEntries(wrong.map(([suffix, value]) => [`SESSION_TRACKING_${suffix}`, value]));
    const named = problems({ ...all, SESSION_TRACKING_X: "1" }).map((line) => line.split(" ")[1]);
    expect(new Set(named)).toEqual(new Set([...Object.keys(all), "SESSION_TRACKING_X"]));
    expect(named).toHaveLength(new Set(named).size);
  });

  test("half a configuration is none", () => {
    expect(problems({ SESSION_TRACKING_KAFKA_SASL_MECHANISM: "PLAIN" })).toEqual([
      "- SESSION_TRACKING_KAFKA_SASL_USERNAME is not set, expected one, as SASL needs it",
      "- SESSION_TRACKING_KAFKA_SASL_PASSWORD is not set, expected one, as SASL needs it",
    ]);
    expect(problems({ SESSION_TRACKING_KAFKA_SASL_PASSWORD: "hunter2" })).toHaveLength(2);
    expect(problems({ SESSION_TRACKING_KAFKA_TLS_CERT_FILE: pem })[0]).toContain("TLS_KEY_FILE is not set");
    expect(problems({ SESSION_TRACKING_KAFKA_TLS_KEY_FILE: pem })[0]).toContain("TLS_CERT_FILE is not set");
    expect(problems({ SESSION_TRACKING_KAFKA_TLS_KEY_PASSWORD: "x" })[0]).toContain("TLS_KEY_FILE is not set");
    expect(problems({ SESSION_TRACKING_KAFKA_TLS: "false", SESSION_TRACKING_KAFKA_TLS_CA_FILE: pem })[0]).toContain(
      "TLS is",
    );
  });

  test("no secret shows, neither a misspelt nor a misplaced one", () => {
    const lines = problems({
      SESSION_TRACKING_KAFKA_SASL_PASSWORT: "hunter2",
      SESSION_TRACKING_KAFKA_SASL_PASSWORD: "hunter2",
      SESSION_TRACKING_KAFKA_TLS_KEY_PASSWORD: "hunter2",
      SESSION_TRACKING_KAFKA_BROKERS: "kafka://user:hunter2@kafka:9092",
    });
    expect(lines).toHaveLength(5);
    expect(lines.join("\n")).not.toContain("hunter2");
  });
});

test("by default the process's own environment is read", () => {
  vi.stubEnv("SESSION_TRACKING_SERVICE", "from-the-process");
  expect(sessionTrackingFromEnv().service).toBe("from-the-process");
  vi.unstubAllEnvs();
});

test("a misspelt variable that looks like a platform's in part only is refused", () => {
  expect(problems({ SESSION_TRACKING_KAFKA_BROKERS_PORT: "9092" })).toHaveLength(1);
  expect(problems({ SESSION_TRACKING_KAFKA_SERVICE_HOSTS: "kafka" })).toHaveLength(1);
});

describe("what a platform injects is ignored", () => {
  const names = [
    "session-tracking",
    "session-tracking-service",
    "session-tracking-kafka",
    "session-tracking-kafka-bootstrap",
  ];

  test.each(names)("a Kubernetes Service named %s", (name) => {
    const prefix = name.toUpperCase().replaceAll("-", "_");
    const injected = {
      [`${prefix}_SERVICE_HOST`]: "10.0.0.1",
      [`${prefix}_SERVICE_PORT`]: "9092",
      [`${prefix}_SERVICE_PORT_TCP_CLIENTS`]: "9092",
      [`${prefix}_PORT`]: "tcp://10.0.0.1:9092",
      [`${prefix}_PORT_9092_TCP`]: "tcp://10.0.0.1:9092",
      [`${prefix}_PORT_9092_TCP_PROTO`]: "tcp",
      [`${prefix}_PORT_9092_TCP_PORT`]: "9092",
      [`${prefix}_PORT_9092_TCP_ADDR`]: "10.0.0.1",
      [`${prefix}_PORT_53_UDP`]: "udp://[fd00::1]:53",
      [`${prefix}_PORT_53_UDP_ADDR`]: "fd00::1",
    };
    expect(sessionTrackingFromEnv(injected)).toEqual({ kafka: {} });
    expect(sessionTrackingFromEnv({ ...injected, SESSION_TRACKING_SERVICE: "a" }).service).toBe("a");
  });

  test("a Docker link", () => {
    const injected = {
      SESSION_TRACKING_KAFKA_PORT: "tcp://172.17.0.5:9092",
      SESSION_TRACKING_KAFKA_NAME: "/account/session-tracking-kafka",
      SESSION_TRACKING_KAFKA_ENV_HEAP: "1g",
    };
    expect(sessionTrackingFromEnv(injected)).toEqual({ kafka: {} });
  });
});
