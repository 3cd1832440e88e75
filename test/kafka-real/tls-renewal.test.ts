// What docs/kafka.md says of certificates that are renewed. A listener for TLS is all that it takes: it need not be Kafka.
import { copyFileSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createKafkaPublisher } from "../../src/kafka/index.js";
import { recordOf } from "../kafka/kafka-fixtures.js";
import { until } from "../support/until.js";
import { type Certificates, makeCertificates } from "./certificates.js";

let first: Certificates;
let second: Certificates;
beforeAll(() => {
  first = makeCertificates();
  second = makeCertificates();
});
afterAll(() => {
  first?.delete();
  second?.delete();
});

test("a client keeps the certificate that it was created with; one that is created later has the new one", async () => {
  const seen: string[] = [];
  const pem = readFileSync(first.broker);
  const server = createServer({ key: pem, cert: pem, requestCert: true, rejectUnauthorized: false }, (socket) => {
    seen.push(socket.getPeerCertificate().serialNumber);
    // The client comes back at once.
    socket.destroy();
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await until(() => server.address() !== null);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { port } = server.address() as AddressInfo;
  const publish = () => {
    const publisher = createKafkaPublisher({
      brokers: `127.0.0.1:${port}`,
      properties: {
        "security.protocol": "ssl",
        "ssl.ca.location": first.ca,
        "ssl.certificate.location": first.client,
        "ssl.key.location": first.clientKey,
      },
      closeTimeoutMs: 0,
      log: false,
    });
    publisher.publish(recordOf(1));
    return publisher;
  };

  const old = publish();
  await until(() => seen.length >= 2);
  const before = new Set(seen.splice(0));
  expect(before.size).toBe(1);

  copyFileSync(second.client, first.client);
  copyFileSync(second.clientKey, first.clientKey);
  await until(() => seen.length >= 4);
  expect(new Set(seen)).toEqual(before);
  await old.close();
  seen.length = 0;

  const renewed = publish();
  await until(() => seen.length >= 2);
  await renewed.close();
  expect(seen.at(-1)).not.toBe([...before][0]);
});
