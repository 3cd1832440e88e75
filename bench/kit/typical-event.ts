import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { encodeSessionContext, type SessionActivityEvent, SessionActivityEventSchema } from "connect-session-activity";

/** A session context of usual size: about 600 bytes in a header. */
export const typicalContext: string = encodeSessionContext({
  sessionId: "4f1f9b1e-8f0a-4d6a-9c1b-0c6f2d8a7b3e",
  userId: "user-1234567",
  authMethod: "passkey",
  deviceId: "7d3c1a52-1f7e-4c43-b6a1-52f2f0f9a6cd",
  country: "DE",
  clientIp: "203.0.113.7",
  userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  signals: { tenant: "tenant-42", app_version: "5.12.3", risk: "low", entitlements: "read,write,admin,".repeat(8) },
});

/** The event of a call as a service publishes it. */
export function typicalEvent(number: number): SessionActivityEvent {
  const startedAt = 1_780_000_000_000 + number;
  return create(SessionActivityEventSchema, {
    eventId: `019a0000-0000-7000-8000-${number.toString(16).padStart(12, "0")}`,
    encodedSessionContext: typicalContext,
    service: "account-service",
    action: "change_password",
    procedure: "/example.account.v1.AccountService/ChangePassword",
    status: "OK",
    handlerStatus: "OK",
    duration: durationFromMs(12),
    startedAt: timestampFromMs(startedAt),
    completedAt: timestampFromMs(startedAt + 12),
    instanceId: "019a0000-0000-7000-8000-aaaaaaaaaaaa",
    sequence: BigInt(number),
  });
}
