import { historyLock } from "./lock.js";
import { planned } from "./plan.js";

/**
 * The function of version 1 that erases sessions, and remembers by keyed hashes that they stay erased. It answers with further
 * sessions of the user, whose hashes it could not know.
 */
export function forgetFunction(schema: string): string {
  return `
create function ${schema}.forget(sessions text[], forgotten_user text, marks text[], key_id text)
returns table (changes bigint, further_sessions text[])
language plpgsql
${planned}
as $forget$
declare
  known_key text;
  erased bigint;
begin
  perform pg_advisory_xact_lock(${historyLock(schema)});
  select s.tombstone_key_id into known_key from ${schema}.state s;
  if known_key <> key_id then
    raise exception 'somebody was forgotten in this signal history with another tombstoneKey: it needs that one';
  end if;
  update ${schema}.state set tombstone_key_id = key_id where tombstone_key_id is null;
  insert into ${schema}.tombstone (mark) select unnest(marks) on conflict do nothing;
  with erase as (
    delete from ${schema}.observation o where o.session_id = any(sessions) returning o.is_change
  )
  select count(*) filter (where e.is_change) into erased from erase e;
  delete from ${schema}.activity a where a.session_id = any(sessions);
  delete from ${schema}.late_activity l where l.session_id = any(sessions);
  delete from ${schema}.session_user u where u.session_id = any(sessions);
  return query select erased, array(
    select u.session_id::text from ${schema}.session_user u where u.user_id = forgotten_user
  );
end
$forget$;
`;
}

/**
 * The function that erases at most so many rows of sessions, and remembers by keyed hashes that they stay erased. It is called
 * again until it says that the sessions are done, and then with the further ones that it answers with. Each time is a
 * transaction of its own: what was interrupted goes on where it was, since who a session belongs to is erased last.
 */
export function forgetSliceFunction(schema: string): string {
  const places = (table: string, limit: string): string =>
    `array(select r.ctid from ${schema}.${table} r where r.session_id = any(sessions) limit ${limit})`;
  const erase = (table: string): string => `
  delete from ${schema}.${table} r where r.ctid = any(${places(table, "room")});
  get diagnostics gone = row_count;
  room := room - gone;`;
  return `
create function ${schema}.forget_slice(
  sessions text[], forgotten_user text, marks text[], key_id text, max_rows int, max_sessions int
)
returns table (changes bigint, is_done boolean, further_sessions text[])
language plpgsql
${planned}
as $forget$
declare
  known_key text;
  gone int;
  room int := max_rows;
begin
  perform pg_advisory_xact_lock(${historyLock(schema)});
  select s.tombstone_key_id into known_key from ${schema}.state s;
  if known_key <> key_id then
    raise exception 'somebody was forgotten in this signal history with another tombstoneKey: it needs that one';
  end if;
  update ${schema}.state set tombstone_key_id = key_id where tombstone_key_id is null;
  insert into ${schema}.tombstone (mark) select unnest(marks) on conflict do nothing;
  -- By their places in the tables, which nobody else changes meanwhile.
  with erase as (
    delete from ${schema}.observation r where r.ctid = any(${places("observation", "room")}) returning r.is_change
  )
  select count(*) filter (where e.is_change), count(*) into changes, gone from erase e;
  room := room - gone;
  ${erase("activity")}
  ${erase("late_activity")}
  -- These may be large.
  delete from ${schema}.set_aside r where r.ctid = any(${places("set_aside", "room / 50")});
  get diagnostics gone = row_count;
  if gone >= room / 50 then
    room := 0;
  end if;
  ${erase("session_user")}
  is_done := room > 0;
  if is_done then
    further_sessions := array(
      select u.session_id from ${schema}.session_user u
      where u.user_id = forgotten_user order by u.session_id limit max_sessions
    );
  end if;
  return next;
end
$forget$;

-- For processes of version 2, which erase all at once.
create or replace function ${schema}.forget(sessions text[], forgotten_user text, marks text[], key_id text)
returns table (changes bigint, further_sessions text[])
language plpgsql
as $forget$
begin
  return query select f.changes, f.further_sessions
    from ${schema}.forget_slice(sessions, forgotten_user, marks, key_id, 2147483647, null) f;
end
$forget$;
`;
}
