import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { encodeSessionContext, type SessionActivityEvent, SessionActivityEventSchema } from "connect-session-activity";

/** A session context of usual size, as its header has it: about 600 bytes. That of each number is another session's. */
export function typicalContext(number: number): string {
  const hash = createHash("sha256").update(String(number)).digest("hex");
  return encodeSessionContext({
    sessionId: uuidOf(hash.slice(0, 32)),
    userId: `user-${number}`,
    authMethod: "passkey",
    deviceId: uuidOf(hash.slice(32)),
    country: "DE",
    clientIp: `203.0.${number % 256}.7`,
    userAgent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${130 + (number % 16)}.0.0.0 Safari/537.36`,
    signals: {
      tenant: `tenant-${number % 100}`,
      app_version: "5.12.3",
      risk: "low",
      entitlements: "read,write,admin,".repeat(8),
    },
  });
}

function uuidOf(hash: string): string {
  return hash.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** The event of a call as a service publishes it. */
export function typicalEvent(number: number): SessionActivityEvent {
  const startedAt = 1_780_000_000_000 + number;
  return create(SessionActivityEventSchema, {
    eventId: `019a0000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`,
    encodedSessionContext: typicalContext(number),
    service: "account-service",
    action: "change_password",
    procedure: "/example.account.v1.AccountService/ChangePassword",
    status: "OK",
    handlerStatus: "OK",
    duration: { nanos: 12_000_000 },
    startedAt: timestampFromMs(startedAt),
    completedAt: timestampFromMs(startedAt + 12),
    instanceId: "019a0000-0000-7000-8000-aaaaaaaaaaaa",
    sequence: BigInt(number),
  });
}
