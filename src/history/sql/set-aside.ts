import { historyLock } from "./lock.js";
import { planned } from "./plan.js";
import { lockHistory } from "./record.js";

/**
 * The function of version 3 that sets a record aside. It answers whether it is there now for the first time, and whether its
 * session or its user was forgotten, so that nothing of it may be kept.
 */
export function setAsideFunction(schema: string): string {
  return `
create function ${schema}.set_aside_record(entry jsonb, marks text[], key_id text)
returns table (is_new boolean, is_forgotten boolean)
language plpgsql
${planned}
as $set_aside$
declare
  closed timestamptz;
  known_key text;
  added int;
begin
  ${lockHistory(schema)}
  is_new := false;
  is_forgotten := exists (select 1 from ${schema}.tombstone t where t.mark = any(marks));
  if not is_forgotten then
    insert into ${schema}.set_aside (topic, partition, record_offset, event_id, session_id, reason, record)
    select e.topic, e.partition, e.record_offset, e.event_id, e.session_id, e.reason, decode(e.record, 'base64')
    from jsonb_to_record(entry) as e(
      topic text, partition int, record_offset bigint, event_id text, session_id text, reason text, record text
    )
    on conflict do nothing;
    get diagnostics added = row_count;
    is_new := added > 0;
    insert into ${schema}.session_user (user_id, session_id)
    select e.user_id, e.session_id from jsonb_to_record(entry) as e(user_id text, session_id text)
    where e.user_id is not null and e.session_id is not null
    on conflict do nothing;
  end if;
  return next;
end
$set_aside$;
`;
}

/**
 * Keeps count of how many bytes the set-aside records take, in the history's state: whoever sets a record aside must not add
 * them up. A trigger does it, so that it holds for whatever removes some. It changes the state last, behind the records, so
 * that nobody who holds it waits for anything.
 */
export function countSetAside(schema: string): string {
  return `
-- Nobody sets aside or forgets meanwhile, nor tries again.
perform pg_advisory_xact_lock(${historyLock(schema)});
lock table ${schema}.set_aside in share row exclusive mode;

alter table ${schema}.state add column set_aside_bytes bigint not null default 0;

-- The texts, and about what a row and its places in the indexes take.
create function ${schema}.set_aside_size(s ${schema}.set_aside) returns bigint
language sql immutable
as $size$
  select 200 + octet_length(s.topic) + octet_length(s.event_id) + octet_length(s.reason)
    + coalesce(octet_length(s.session_id), 0) + coalesce(octet_length(s.record), 0)
$size$;

create function ${schema}.count_set_aside() returns trigger
language plpgsql
as $count$
begin
  update ${schema}.state set set_aside_bytes = set_aside_bytes + case
    when tg_op = 'INSERT' then ${schema}.set_aside_size(new)
    else -${schema}.set_aside_size(old)
  end;
  return null;
end
$count$;

create trigger count_set_aside after insert or delete on ${schema}.set_aside
for each row execute function ${schema}.count_set_aside();

update ${schema}.state set set_aside_bytes = (
  select coalesce(sum(${schema}.set_aside_size(s)), 0) from ${schema}.set_aside s
);
`;
}

/**
 * The function that sets a record aside unless the others take `max_bytes` or more. It answers with what became of it:
 * `set_aside`, `duplicate`, `full`, or `forgotten` if nothing of its session or its user may be kept.
 *
 * Those who come at the same moment do not see each other, so each process may go over the bound by one record.
 */
export function boundedSetAsideFunction(schema: string): string {
  return `
create function ${schema}.set_aside_record_4(entry jsonb, marks text[], key_id text, max_bytes bigint)
returns text
language plpgsql
${planned}
as $set_aside$
declare
  closed timestamptz;
  known_key text;
  given record;
begin
  ${lockHistory(schema)}
  if exists (select 1 from ${schema}.tombstone t where t.mark = any(marks)) then
    return 'forgotten';
  end if;
  select * into given from jsonb_to_record(entry) as e(
    topic text, partition int, record_offset bigint, event_id text, session_id text, user_id text, reason text, record text
  );
  if exists (
    select 1 from ${schema}.set_aside s
    where s.topic = given.topic and s.partition = given.partition and s.record_offset = given.record_offset
      and s.event_id = given.event_id
  ) then
    return 'duplicate';
  end if;
  if (select s.set_aside_bytes from ${schema}.state s) >= max_bytes then
    return 'full';
  end if;
  insert into ${schema}.session_user (user_id, session_id)
  select given.user_id, given.session_id where given.user_id is not null and given.session_id is not null
  on conflict do nothing;
  insert into ${schema}.set_aside (topic, partition, record_offset, event_id, session_id, reason, record)
  values (
    given.topic, given.partition, given.record_offset, given.event_id, given.session_id, given.reason,
    decode(given.record, 'base64')
  )
  on conflict do nothing;
  return case when found then 'set_aside' else 'duplicate' end;
end
$set_aside$;
`;
}
