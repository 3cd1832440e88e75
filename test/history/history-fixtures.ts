import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { RecordToSetAside } from "../../src/history/index.js";
import { encodeSessionContext, type SessionActivityEvent, SessionActivityEventSchema } from "../../src/index.js";

/** What a test says of an event. Times are milliseconds since 1970. */
export interface Told {
  readonly id: string;
  readonly at: number;
  /** By default, 5 ms after `at`. */
  readonly until?: number;
  readonly session?: string;
  readonly user?: string;
  readonly country?: string;
  readonly device?: string;
}

/** The event of a call that ended well. */
export function eventOf({ id, at, until, session, user, country, device }: Told): SessionActivityEvent {
  return create(SessionActivityEventSchema, {
    eventId: id,
    service: "account-service",
    action: `action-${id}`,
    procedure: "/example.account.v1.AccountService/Login",
    status: "OK",
    startedAt: timestampFromMs(at),
    completedAt: timestampFromMs(until ?? at + 5),
    encodedSessionContext: encodeSessionContext({
      sessionId: session ?? "session-1",
      userId: user ?? "",
      country: country ?? "",
      deviceId: device ?? "",
    }),
  });
}

let offsets = 0;

/** The record that an event came in, each time another one. */
export function recordOf(event: SessionActivityEvent): RecordToSetAside {
  offsets += 1;
  const value = toBinary(SessionActivityEventSchema, event);
  return { topic: "session-activities", partition: 3, offset: offsets, value };
}
