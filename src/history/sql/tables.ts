import { historyLock } from "./lock.js";

/** What is kept of an activity, be it placed or too late. */
const activityColumns = `event_id text collate "C" primary key,
  session_id text collate "C" not null,
  started_at timestamptz not null,
  completed_at timestamptz not null,
  service text not null,
  action text not null,
  procedure text not null,
  status text not null,
  verified boolean not null`;

/**
 * What a signal history consists of. Ids and names are compared byte by byte (`collate "C"`), as JavaScript does for what is
 * in them, and not as the database's language would.
 */
export function tables(schema: string): string {
  return `
-- One row: the time up to which the compactor has closed the history, and which key its tombstones are made with.
create table ${schema}.state (
  only_row boolean primary key default true check (only_row),
  closed_through timestamptz not null default '-infinity',
  tombstone_key_id text
);
insert into ${schema}.state default values;

-- The activities whose observations are kept.
create table ${schema}.activity (
  ${activityColumns}
);
create index activity_session on ${schema}.activity (session_id);
create index activity_completed on ${schema}.activity (completed_at);

-- What an activity said about one signal of its session. The primary key holds the order in which contexts were made.
-- Where the compactor removed observations of the same value that followed, covers_until_* is the last of them.
create table ${schema}.observation (
  session_id text collate "C" not null,
  signal text collate "C" not null,
  started_at timestamptz not null,
  event_id text collate "C" not null,
  value text collate "C" not null,
  is_change boolean not null,
  covers_until_at timestamptz,
  covers_until_event_id text collate "C",
  primary key (session_id, signal, started_at, event_id)
);
create index observation_event on ${schema}.observation (event_id);
create index observation_change on ${schema}.observation (started_at, event_id, signal) where is_change;
create index observation_change_signal on ${schema}.observation (signal, started_at, event_id) where is_change;

-- The history: one row for each change of a signal, with the activity that triggered it.
create view ${schema}.change as
  select o.session_id, o.signal, o.value, o.started_at, o.event_id,
         a.completed_at, a.service, a.action, a.procedure, a.status, a.verified
  from ${schema}.observation o join ${schema}.activity a using (event_id)
  where o.is_change;

-- Activities that came too late to be placed.
create table ${schema}.late_activity (
  ${activityColumns},
  signals jsonb not null,
  reason text not null,
  arrived_at timestamptz not null default now()
);
create index late_activity_session on ${schema}.late_activity (session_id);

-- Whose sessions they are, so that a user can be forgotten.
create table ${schema}.session_user (
  user_id text collate "C" not null,
  session_id text collate "C" not null,
  primary key (user_id, session_id)
);
create index session_user_session on ${schema}.session_user (session_id);

-- Keyed hashes of what was forgotten.
create table ${schema}.tombstone (
  mark text collate "C" primary key,
  forgotten_at timestamptz not null default now()
);
`;
}

/** What version 3 adds. */
export function furtherTables(schema: string): string {
  return `
-- Nobody records, compacts or forgets meanwhile, and the tables are locked in the order in which queries lock them.
perform pg_advisory_xact_lock(${historyLock(schema)});
lock table ${schema}.change in access exclusive mode;

alter table ${schema}.activity add column status_inferred boolean not null default false;
alter table ${schema}.late_activity add column status_inferred boolean not null default false;
create or replace view ${schema}.change as
  select o.session_id, o.signal, o.value, o.started_at, o.event_id,
         a.completed_at, a.service, a.action, a.procedure, a.status, a.verified, a.status_inferred
  from ${schema}.observation o join ${schema}.activity a using (event_id)
  where o.is_change;

-- A page of a session's changes, and the last change of each of its signals, whatever its past is.
create index observation_session_change on ${schema}.observation (session_id, started_at, event_id, signal) where is_change;
create index observation_signal_change on ${schema}.observation (session_id, signal, started_at, event_id) where is_change;

-- Records that cannot be recorded. Their bytes are there if it is known whose they are, so that they can be forgotten.
create table ${schema}.set_aside (
  id bigint generated always as identity primary key,
  topic text collate "C" not null,
  partition int not null,
  record_offset bigint not null,
  event_id text collate "C" not null,
  session_id text collate "C",
  reason text not null,
  record bytea,
  set_aside_at timestamptz not null default now(),
  unique (topic, partition, record_offset, event_id)
);
create index set_aside_session on ${schema}.set_aside (session_id);
`;
}
