import { planned } from "./plan.js";
import { lockHistory } from "./record.js";

/**
 * The function that sets a record aside. It answers whether it is there now for the first time, and whether its session or its
 * user was forgotten, so that nothing of it may be kept.
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
