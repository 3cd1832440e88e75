import { createDecipheriv, generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { fromJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { NotificationService } from "../../gen/example/notification/v1/notification_pb.js";
import { decodeSessionContext, encodeSessionContext, SessionActivityEventSchema } from "../../src/index.js";
import { createKafkaPublisher, startEmbeddedKafka } from "../../src/kafka/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { freePorts } from "../support/free-ports.js";
import { type Program, runProgram } from "../support/program.js";
import { until } from "../support/until.js";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const readme = readFileSync(at("README.md"), "utf8");

/** The code blocks that say which file they are from. */
const blocks = [...readme.matchAll(/<!-- (examples\/\S+) -->\n```(?:ts|nginx|yaml)\n([\s\S]*?)```/g)].map(
  ([, file, code]) => ({ file, code }),
);

describe("the README's code", () => {
  it.each(blocks)("is that of $file", ({ file, code }) => {
    // In the file, it may stand further to the right.
    const whole = readFileSync(at(file!), "utf8");
    const places = [0, 2, 4, 8, 16].map((indent) => code!.replaceAll(/^(?=.)/gm, " ".repeat(indent)));
    expect(places.filter((place) => whole.includes(place))).toHaveLength(1);
  });

  it("has no block that nothing runs", () => {
    expect(blocks).toHaveLength(13);
    expect(readme.match(/```(ts|nginx|yaml)/g)).toHaveLength(blocks.length);
  });

  it("works: service and reader as two processes", { timeout: 60_000 }, async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const [port = 0] = await freePorts(1);
    const env = { SESSION_TRACKING_SERVICE: "account-service", SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers };
    const service = run("quickstart/service.js", { ...env, PORT: String(port) });
    const reader = run("quickstart/reader.js", env);
    const call = () => changePassword(port, "2", marks("c2Vzc2lvbi0x", "change_password"));
    await expect.poll(call, { timeout: 20_000 }).toBe("PermissionDenied");
    await until(
      () => reader.output().includes("account-service change_password PERMISSION_DENIED"),
      reader.output,
      30_000,
    );
    expect(await service.stop()).toBe(0);
    expect(await reader.stop()).toBe(0);
    expect(service.output()).not.toContain("connect-session-activity");
  });

  it("works: the signal history as a process", { timeout: 90_000 }, async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const folder = mkdtempSync(join(tmpdir(), "readme-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { brokers } = kafka;
    const reader = run("quickstart/history.js", {
      SESSION_TRACKING_KAFKA_BROKERS: brokers,
      DATABASE_URL: join(folder, "database"),
    });
    // One key, so one partition: they come in their order.
    const publisher = createKafkaPublisher({ brokers, key: () => "session-1" });
    publisher.publish(eventOf({ id: "a", at: 1_000, country: "DE" }));
    publisher.publish(eventOf({ id: "b", at: 2_000, country: "FR" }));
    await publisher.close();
    await until(() => reader.output().includes("action-b changed country from DE to FR"), reader.output, 60_000);
    expect(reader.output()).toContain("action-a changed country from nothing to DE");
    expect(await reader.stop()).toBe(0);
  });

  it("works: a gateway that signs, a service that verifies and relays, and a reader", { timeout: 60_000 }, async () => {
    const kafka = await startEmbeddedKafka();
    onTestFinished(() => kafka.close());
    const relayed: (string | null)[] = [];
    const notifications = await startAccountServer({}, {}, "2", (router) =>
      router.service(NotificationService, {
        notify(_, { requestHeader }) {
          relayed.push(requestHeader.get("x-session-context"));
          return {};
        },
      }),
    );
    const [gatewayPort = 0, servicePort = 0] = await freePorts(2);
    const env = {
      SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers,
      GATEWAY_KEY_FILE: keyFile(),
      GATEWAY_JWKS_URL: `http://127.0.0.1:${gatewayPort}/jwks`,
      ACCOUNT_URL: `http://127.0.0.1:${servicePort}`,
      NOTIFICATION_URL: notifications.baseUrl,
    };
    const gateway = run("trust/gateway.js", { ...env, PORT: String(gatewayPort) });
    const fetchKeys = () =>
      fetch(env.GATEWAY_JWKS_URL).then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(fetchKeys, { timeout: 20_000 }).toBe(200);
    const service = run("trust/service.js", { ...env, PORT: String(servicePort) });
    const reader = run("trust/reader.js", env);

    const forged = marks("Zm9yZ2Vk", "change_password");
    const throughGateway = () => changePassword(gatewayPort, "1.1", { ...forged, "demo-user": "ada" });
    await expect.poll(throughGateway, { timeout: 20_000 }).toBe("OK");
    await until(() => reader.output().includes("change_password verified by gateway-1"), reader.output, 30_000);
    expect(await changePassword(servicePort, "2", forged)).toBe("OK");
    expect(await changePassword(servicePort, "2", {})).toBe("OK");
    const evidence = "/example.account.v1.AccountService/ChangePassword not verified: signature_missing";
    await until(() => reader.output().split(evidence).length === 3, reader.output, 30_000);
    expect(relayed.slice(-2)).toEqual([null, null]);
    expect(decodeSessionContext(relayed.at(-3) ?? "").userId).toBe("ada");
    expect(service.output()).toContain("a call came without a valid session mark");
    expect(await reader.stop()).toBe(0);
    expect(await service.stop()).toBe(0);
    expect(await gateway.stop()).toBe(0);
  });

  it("works: what is recorded in place of the context", async () => {
    vi.stubEnv("PRIVACY_KEY", randomBytes(32).toString("base64"));
    onTestFinished(() => void vi.unstubAllEnvs());
    const { encrypt, pseudonymize } = await import("../../examples/trust/privacy.js");
    const given = { sessionId: "s-1", userId: "ada", clientIp: "203.0.113.7", deviceId: "phone", country: "DE" };
    const [first, again, other] = [given, { ...given, clientIp: "203.0.113.8" }, { ...given, userId: "eve" }].map(
      (context) => decodeSessionContext(pseudonymize(encodeSessionContext(context))),
    );
    expect(first).toMatchObject({ deviceId: "phone", country: "DE", clientIp: "", actorId: "" });
    expect(again).toEqual(first);
    expect([first?.userId, first?.sessionId]).toEqual([expect.stringMatching(/^[\w-]{43}$/), expect.any(String)]);
    expect(other?.userId).not.toBe(first?.userId);
    expect(other?.sessionId).toBe(first?.sessionId);
    expect(() => pseudonymize("forged")).toThrow();

    const sealed = Buffer.from(encrypt("c2Vzc2lvbg"), "base64");
    const key = Buffer.from(process.env["PRIVACY_KEY"] ?? "", "base64");
    const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, 12)).setAuthTag(sealed.subarray(-16));
    expect(decipher.update(sealed.subarray(12, -16), undefined, "utf8") + decipher.final("utf8")).toBe("c2Vzc2lvbg");
  });
});

/** A call as curl would make it. Resolves to its code. */
function changePassword(port: number, httpVersion: "1.1" | "2", headers: Record<string, string>): Promise<string> {
  return accountClient({ baseUrl: `http://127.0.0.1:${port}` }, "connect", httpVersion)
    .changePassword({ oldPassword: "guess" }, { headers })
    .then(
      () => "OK",
      (error: unknown) => Code[ConnectError.from(error).code] ?? "",
    );
}

function keyFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "gateway-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "gateway.pem");
  writeFileSync(file, generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }));
  return file;
}

it("shows an event that the schema accepts", () => {
  const json = /```json\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
  const event = fromJson(SessionActivityEventSchema, JSON.parse(json));
  expect(event).toMatchObject({ status: "DEADLINE_EXCEEDED", handlerStatus: "OK", sequence: 3n });
});

function run(script: string, env: Record<string, string>): Program {
  return runProgram(`examples/${script}`, [], env);
}
