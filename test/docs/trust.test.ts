// The examples of docs/gateway.md, docs/edge.md and docs/trust.md.
import { execFileSync } from "node:child_process";
import { createDecipheriv, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import { NotificationService } from "../../gen/example/notification/v1/notification_pb.js";
import { decodeSessionContext, encodeSessionContext } from "../../src/index.js";
import { startEmbeddedKafka } from "../../src/kafka/index.js";
import { marks, startAccountServer } from "../support/account-server.js";
import { freePorts } from "../support/free-ports.js";
import { dist } from "../support/program.js";
import { until } from "../support/until.js";
import { changePassword, run } from "./calls.js";
import { commandsOf, shellBlock } from "./pages.js";

it("a gateway that signs, a service that verifies and relays, and a reader", { timeout: 60_000 }, async () => {
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
  const folder = keyFolder();
  const [gatewayPort = 0, servicePort = 0] = await freePorts(2);
  const env = {
    SESSION_TRACKING_KAFKA_BROKERS: kafka.brokers,
    GATEWAY_JWKS_URL: `http://127.0.0.1:${gatewayPort}/jwks`,
    ACCOUNT_URL: `http://127.0.0.1:${servicePort}`,
    NOTIFICATION_URL: notifications.baseUrl,
  };
  const gateway = run("trust/gateway.js", { ...env, PORT: String(gatewayPort) }, folder);
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
  await until(() => reader.output().includes("change_password verified by "), reader.output, 30_000);
  expect(await changePassword(servicePort, "2", forged)).toBe("OK");
  expect(await changePassword(servicePort, "2", {})).toBe("OK");
  const evidence = "change_password not verified: signature_missing";
  await until(() => reader.output().split(evidence).length === 3, reader.output, 30_000);
  expect(relayed.slice(-2)).toEqual([null, null]);
  expect(decodeSessionContext(relayed.at(-3) ?? "").userId).toBe("ada");
  expect(service.output()).toContain(
    "a call came without a valid session mark: the mark has no signature: does the gateway sign?",
  );
  expect(await reader.stop()).toBe(0);
  expect(await service.stop()).toBe(0);
  expect(await gateway.stop()).toBe(0);
});

it("what is recorded in place of the context", async () => {
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

/** Where the gateway's keys are, made and changed as the page says. */
function keyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "gateway-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [create] = commandsOf(shellBlock("docs/trust.md", "npx"));
  expect(create?.args).toEqual(["session-activity", "keys", "create"]);
  const program = join(dist, "src/cli/session-activity.js");
  execFileSync(process.execPath, [program, ...create!.args.slice(1)], { cwd: folder });
  return folder;
}
