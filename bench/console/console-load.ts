/** How many activities a session has, and how many signals each of them says. */
const perSession = 25;
const signals = 4;
/** One session with a long past, and one user with many sessions. */
export const longSession = "s0";
export const busyUser = "u0";
const longActivities = 20_000;
const busySessions = 1_000;
export const firstAt: number = Date.UTC(2026, 0, 1);

/** How many sessions make so many observations. */
export function sessionsFor(observations: number): number {
  return Math.ceil(observations / (perSession * signals));
}

/**
 * Statements that fill a history with sessions from one number to another, in the order of time. Of a session's activities, each
 * fifth is a login, each twentieth was refused, and each tenth is not verified. The country changes four times.
 */
export function fillSql(from: number, to: number): string[] {
  const activity = `select s.n as s, k.n as k, 'e' || s.n || '/' || k.n as event_id, 's' || s.n as session_id,
      to_timestamp(${firstAt / 1_000} + s.n * 10.0 + k.n) as at
    from generate_series(${from}, ${to - 1}) s(n), generate_series(0, ${perSession - 1}) k(n)`;
  return [fillActivities(activity), fillObservations(activity), fillUsers(from, to)];
}

function fillActivities(activity: string): string {
  return `insert into signal_history.activity (event_id, session_id, started_at, completed_at, service, action, procedure, status,
      verified, mark_hash, context_problem)
    select event_id, session_id, at, at + interval '5 milliseconds', 'account-service',
      case when k % 5 = 0 then 'login' else 'action_' || k % 40 end, '/example.account.v1.AccountService/Call',
      case when (s + k) % 20 = 0 then 'PERMISSION_DENIED' when (s * 25 + k) % 10007 = 0 then 'DATA_LOSS' else 'OK' end,
      (s + k) % 10 > 0, md5(event_id), case when (s + k) % 10 > 0 then '' else 'signature_missing' end
    from (${activity}) a`;
}

function fillObservations(activity: string): string {
  return `insert into signal_history.observation (session_id, signal, started_at, event_id, value, is_change)
    select session_id, signal, at, event_id, value, is_change from (${activity}) a cross join lateral (values
      ('country', (array['DE', 'FR', 'IT', 'ES', 'CH'])[1 + k / 5], k % 5 = 0),
      ('device_id', 'device-' || s % 1000 || '-' || k / 12, k % 12 = 0),
      ('client_ip', '203.0.' || s % 256 || '.0/24', k = 0),
      ('user_id', 'u' || s / 3, k = 0)) o(signal, value, is_change)`;
}

function fillUsers(from: number, to: number): string {
  return `insert into signal_history.session_user (user_id, session_id)
    select case when n <= ${busySessions} then '${busyUser}' else 'u' || n / 3 end, 's' || n
    from generate_series(${from}, ${to - 1}) s(n)`;
}

/** The long session: its country changes with every activity. */
export function fillLongSql(): string[] {
  const at = `to_timestamp(${firstAt / 1_000} + n)`;
  return [
    `insert into signal_history.activity (event_id, session_id, started_at, completed_at, service, action, procedure, status, verified)
      select 'l' || n, '${longSession}', ${at}, ${at}, 'account-service', 'refresh', '', 'OK', true
      from generate_series(1, ${longActivities}) n`,
    `insert into signal_history.observation (session_id, signal, started_at, event_id, value, is_change)
      select '${longSession}', 'country', ${at}, 'l' || n, 'C' || n, true from generate_series(1, ${longActivities}) n`,
  ];
}
