import { historyLock } from "./lock.js";

/**
 * The function that closes the history up to a time, and removes what no placing after that needs: observations that are no
 * changes. The one that each followed remembers how far the removed ones reached.
 *
 * It closes the time of at most so many activities at once, since nobody records meanwhile; it is called until it says that
 * it is done.
 */
export function compactFunction(schema: string): string {
  return `
create function ${schema}.compact(horizon interval, max_activities int)
returns table (removed bigint, closed_through timestamptz, is_done boolean)
language plpgsql as $compact$
#variable_conflict use_column
declare
  closed timestamptz;
  goal timestamptz;
  bound timestamptz;
begin
  perform pg_advisory_xact_lock(${historyLock(schema)});
  select s.closed_through into closed from ${schema}.state s;
  -- By what has come, not by the clock: after a pause of the consumer, what it has missed is not late.
  -- least() leaves nulls out: with nothing come, it would be the clock after all.
  select case when m.latest is not null then least(m.latest, now()) - horizon end into goal
    from (select max(a.completed_at) as latest from ${schema}.activity a) m;
  if goal is null or goal <= closed then
    return query select 0::bigint, closed, true;
    return;
  end if;
  select a.completed_at into bound from ${schema}.activity a
    where a.completed_at > closed and a.completed_at <= goal
    order by a.completed_at offset max_activities - 1 limit 1;
  bound := coalesce(bound, goal);

  return query
  with candidate as materialized (
    select a.event_id from ${schema}.activity a where a.completed_at > closed and a.completed_at <= bound
  ), gone as materialized (
    select o.session_id, o.signal, o.started_at, o.event_id
    from candidate c join ${schema}.observation o using (event_id) where not o.is_change
  ), place as (
    -- Numbers the observations that stay; those that go have the number of the one that they follow.
    select o.session_id, o.signal, o.started_at, o.event_id, g.event_id is not null as is_gone,
      coalesce(o.covers_until_at, o.started_at) as reach_at,
      coalesce(o.covers_until_event_id, o.event_id) as reach_id,
      count(*) filter (where g.event_id is null)
        over (partition by o.session_id, o.signal order by o.started_at, o.event_id) as number
    from (select distinct g.session_id, g.signal from gone g) s
    join ${schema}.observation o using (session_id, signal)
    left join gone g using (session_id, signal, started_at, event_id)
  ), reach as materialized (
    select distinct on (p.session_id, p.signal, p.number) p.session_id, p.signal, p.number, p.reach_at, p.reach_id
    from place p where p.is_gone
    order by p.session_id, p.signal, p.number, p.started_at desc, p.event_id desc
  ), cover as (
    update ${schema}.observation o set covers_until_at = r.reach_at, covers_until_event_id = r.reach_id
    from place p join reach r using (session_id, signal, number)
    where not p.is_gone and o.session_id = p.session_id and o.signal = p.signal
      and o.started_at = p.started_at and o.event_id = p.event_id
  ), remove_observations as (
    delete from ${schema}.observation o using gone g
    where o.session_id = g.session_id and o.signal = g.signal and o.started_at = g.started_at and o.event_id = g.event_id
  ), remove_activities as (
    delete from ${schema}.activity a using candidate c
    where a.event_id = c.event_id
      and not exists (select 1 from ${schema}.observation o where o.event_id = a.event_id and o.is_change)
  ), close as (
    update ${schema}.state s set closed_through = bound
  )
  select count(*), bound, bound >= goal from gone;
end
$compact$;
`;
}
