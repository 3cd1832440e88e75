import { historyLock } from "./lock.js";
import { planned } from "./plan.js";

/**
 * The function that erases sessions, and remembers by keyed hashes that they stay erased. It answers with further sessions of
 * the user, whose hashes it could not know.
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
