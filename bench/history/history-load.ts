import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { encodeSessionContext, type SessionActivityEvent, SessionActivityEventSchema } from "connect-session-activity";

/** Six of them in each event. */
const signalsPerEvent = 6;
/** How many activities a session has that is prefilled. */
const activitiesPerSession = 10;
/** When the prefilled activities begin. They are a second apart. */
const firstAt = Date.UTC(2025, 0, 1);

/** How many sessions there are for so many observations. */
export function sessionsFor(observations: number): number {
  return Math.ceil(observations / signalsPerEvent / activitiesPerSession);
}

/** When the first activity of a prefilled session began. */
export function prefilledAt(session: number): number {
  return firstAt + session * 100;
}

/**
 * The statements that bring a history from one number of sessions to another, each session with its ten activities: the first
 * one sets six signals, the network changes with every third after that, and all else stays as it was. So each session
 * has ten activities, sixty observations, and nine changes.
 */
export function prefill(schema: string, from: number, to: number): string[] {
  const activity = `
    select ${idOf("s.n", "k.n")} as event_id, ${sessionOf("s.n")} as session_id, s.n as s, k.n as k,
      to_timestamp(${firstAt / 1_000} + s.n / 10.0 + k.n) as at
    from generate_series(${from}, ${to - 1}) s(n) cross join generate_series(0, ${activitiesPerSession - 1}) k(n)`;
  return [
    `insert into ${schema}.activity
      (event_id, session_id, started_at, completed_at, service, action, procedure, status, verified)
    select event_id, session_id, at, at + interval '5 milliseconds', 'account-service', 'change_password',
      '/example.account.v1.AccountService/ChangePassword', 'OK', true from (${activity}) a order by at`,
    `insert into ${schema}.observation (session_id, signal, started_at, event_id, value, is_change)
    select a.session_id, o.signal, a.at, a.event_id, o.value, o.is_change
    from (${activity}) a cross join lateral (values
      ('user_id', 'user-' || a.s, a.k = 0),
      ('auth_method', 'passkey', a.k = 0),
      ('device_id', 'device-' || a.s, a.k = 0),
      ('country', 'DE', a.k = 0),
      ('client_ip', '10.' || a.s % 256 || '.' || a.k / 3 || '.0/24', a.k % 3 = 0),
      ('user_agent', '${userAgent}', a.k = 0)
    ) o(signal, value, is_change) order by a.at`,
    `insert into ${schema}.session_user (user_id, session_id)
    select 'user-' || n, ${sessionOf("n")} from generate_series(${from}, ${to - 1}) s(n)`,
  ];
}

const userAgent =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/** Events of calls after all that was prefilled, for sessions at random; one in three comes from another network. */
export function freshEvents(count: number, sessions: number, random: () => number): SessionActivityEvent[] {
  return Array.from({ length: count }, () => {
    const session = Math.floor(random() * sessions);
    freshAt += 1;
    const at = freshAt;
    return create(SessionActivityEventSchema, {
      eventId: uuidAt(at, random),
      service: "account-service",
      action: "change_password",
      procedure: "/example.account.v1.AccountService/ChangePassword",
      status: "OK",
      contextVerified: true,
      startedAt: timestampFromMs(at),
      completedAt: timestampFromMs(at + 5),
      encodedSessionContext: encodeSessionContext({
        sessionId: sessionId(session),
        userId: `user-${session}`,
        authMethod: "passkey",
        deviceId: `device-${session}`,
        country: "DE",
        clientIp: `10.${session % 256}.${random() < 2 / 3 ? 3 : Math.floor(random() * 256)}.7`,
        userAgent,
      }),
    });
  });
}

let freshAt = Date.UTC(2025, 5, 1);

/** A UUIDv7. */
function uuidAt(ms: number, random: () => number): string {
  const time = ms.toString(16).padStart(12, "0");
  const tail = Array.from({ length: 18 }, () => Math.floor(random() * 16).toString(16)).join("");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(6)}`;
}

export function sessionId(session: number): string {
  const hash = createHash("md5").update(`session-${session}`).digest("hex");
  return [0, 8, 12, 16, 20].map((start, i) => hash.slice(start, [8, 12, 16, 20, 32][i])).join("-");
}

function sessionOf(number: string): string {
  return `md5('session-' || ${number})::uuid::text`;
}

/** The prefilled activities' ids begin with their times, as a UUIDv7 does. */
function idOf(session: string, activity: string): string {
  const time = `lpad(to_hex(${firstAt} + ${session}::bigint * 100 + ${activity} * 1000), 12, '0')`;
  return `${time} || '-' || substr(md5(${session} || '/' || ${activity}), 1, 23)`;
}
