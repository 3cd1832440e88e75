import { historyLock } from "./lock.js";

/**
 * What version 5 adds: what a search needs. Each question is answered by an index whose order is that of the answer, so that a
 * page of it takes no longer if the history is large. Activities of the same microsecond are sorted after that. None of them has
 * the event's id in it: recording looks for that by the primary key, and must not take another index for as good.
 */
export function searchColumns(schema: string): string {
  const columns = (table: string): string => `
alter table ${schema}.${table} add column mark_hash text collate "C";
alter table ${schema}.${table} add column context_problem text not null default '';`;
  return `
perform pg_advisory_xact_lock(${historyLock(schema)});
-- A hash of the mark's signature: two activities with one signature are a replay.
${columns("activity")}
${columns("late_activity")}
create index activity_mark on ${schema}.activity (mark_hash) where mark_hash is not null;
create index activity_started on ${schema}.activity (started_at);
create index activity_action on ${schema}.activity (action, started_at);
create index activity_status on ${schema}.activity (status, started_at);
create index activity_unverified on ${schema}.activity (started_at) where not verified;
-- In place of the one that has no order. Whoever erases a session finds it by this, too.
create index activity_session_started on ${schema}.activity (session_id, started_at);
drop index ${schema}.activity_session;
create index late_activity_session_started on ${schema}.late_activity (session_id, started_at);
drop index ${schema}.late_activity_session;
`;
}

/** What version 6 adds: why an activity does not count, and what it came with. Both are null if it counts. */
export function uncountedColumns(schema: string): string {
  const columns = (table: string): string => `
alter table ${schema}.${table} add column not_counted text, add column offered jsonb;`;
  return `
perform pg_advisory_xact_lock(${historyLock(schema)});
${columns("activity")}
${columns("late_activity")}
`;
}
