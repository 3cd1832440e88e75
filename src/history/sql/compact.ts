import { historyLock } from "./lock.js";
import { planned } from "./plan.js";

/**
 * The function that closes the history up to a time, and removes what no placing after that needs: observations that are no
 * changes. The one that each followed remembers how far the removed ones reached.
 *
 * It closes the time of at most so many activities at once, since nobody records meanwhile; it is called until it says that
 * it is done.
 */
export function compactFunction(schema: string): string {
  return functionOf(schema, "compact", reachOfStretches(schema));
}

/**
 * The same function, whose time does not grow with the past of a session: it reads what goes, and what each of these follows,
 * and nothing in between.
 */
export function compactByRunsFunction(schema: string): string {
  return functionOf(schema, "compact_3", reachOfRuns(schema));
}

/** `reach` is a query with which kept observations remember how far those reached that followed them. */
function functionOf(schema: string, name: string, reach: string): string {
  return `
create function ${schema}.${name}(horizon interval, max_activities int)
returns table (removed bigint, closed_through timestamptz, is_done boolean)
language plpgsql
${planned}
as $compact$
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
    select a.event_id, a.ctid as place from ${schema}.activity a where a.completed_at > closed and a.completed_at <= bound
  ), seen as materialized (
    select c.place as activity, o.* from candidate c left join lateral (
      select o.ctid as place, o.session_id, o.signal, o.started_at, o.event_id, o.is_change,
        coalesce(o.covers_until_at, o.started_at) as reach_at, coalesce(o.covers_until_event_id, o.event_id) as reach_id
      from ${schema}.observation o where o.event_id = c.event_id offset 0
    ) o on true
  ), gone as (
    select s.* from seen s where not s.is_change
  ), ${reach}
  ), cover as (
    -- By their places in the table, which nobody else changes meanwhile.
    update ${schema}.observation o set covers_until_at = r.reach_at, covers_until_event_id = r.reach_id
    from reach r where o.ctid = r.place
  ), remove_observations as (
    delete from ${schema}.observation o where o.ctid = any(array(select g.place from gone g))
  ), remove_activities as (
    delete from ${schema}.activity a where a.ctid = any(array(
      select s.activity from seen s group by s.activity having not coalesce(bool_or(s.is_change), false)
    ))
  ), close as (
    update ${schema}.state s set closed_through = bound
  )
  select count(*), bound, bound >= goal from gone;
end
$compact$;
`;
}

/** By all observations from the first that goes to the last, as version 1 does. */
function reachOfStretches(schema: string): string {
  return `stretch as materialized (
    -- From what the first that goes follows, to the last that goes.
    select g.session_id, g.signal, coalesce(b.started_at, g.first_at) as first_at, g.last_at
    from (
      select g.session_id, g.signal, min(g.started_at) as first_at, max(g.started_at) as last_at
      from gone g group by g.session_id, g.signal
    ) g
    left join lateral (
      select b.started_at from ${schema}.observation b
      where b.session_id = g.session_id and b.signal = g.signal and b.started_at < g.first_at
      order by b.started_at desc, b.event_id desc limit 1
    ) b on true
  ), part as (
    -- Numbers the observations that stay; those that go have the number of the one that they follow.
    select o.*, count(*) filter (where not o.is_gone)
      over (partition by o.session_id, o.signal order by o.started_at, o.event_id) as number
    from stretch s cross join lateral (
      select o.ctid as place, o.session_id, o.signal, o.started_at, o.event_id,
        coalesce(o.covers_until_at, o.started_at) as reach_at, coalesce(o.covers_until_event_id, o.event_id) as reach_id,
        not o.is_change and exists (
          select 1 from ${schema}.activity a
          where a.event_id = o.event_id and a.completed_at > closed and a.completed_at <= bound offset 0
        ) as is_gone
      from ${schema}.observation o
      where o.session_id = s.session_id and o.signal = s.signal
        and o.started_at >= s.first_at and o.started_at <= s.last_at
      offset 0
    ) o
  ), reach as (
    select (array_agg(p.place) filter (where not p.is_gone))[1] as place,
      (array_agg(p.reach_at order by p.started_at desc, p.event_id desc) filter (where p.is_gone))[1] as reach_at,
      (array_agg(p.reach_id order by p.started_at desc, p.event_id desc) filter (where p.is_gone))[1] as reach_id
    from part p group by p.session_id, p.signal, p.number having bool_or(p.is_gone)`;
}

/** By those that go: one that follows another of them belongs to its run, and what a run follows stays. */
function reachOfRuns(schema: string): string {
  return `following as (
    select g.*, b.place as before, lag(g.event_id) over w is distinct from b.event_id as is_first
    from gone g
    cross join lateral (
      select b.ctid as place, b.event_id from ${schema}.observation b
      where b.session_id = g.session_id and b.signal = g.signal
        and (b.started_at, b.event_id) < (g.started_at, g.event_id)
      order by b.started_at desc, b.event_id desc limit 1
    ) b
    window w as (partition by g.session_id, g.signal order by g.started_at, g.event_id)
  ), numbered as (
    select f.*, count(*) filter (where f.is_first)
      over (partition by f.session_id, f.signal order by f.started_at, f.event_id) as number
    from following f
  ), reach as (
    select (array_agg(n.before) filter (where n.is_first))[1] as place,
      (array_agg(n.reach_at order by n.started_at desc, n.event_id desc))[1] as reach_at,
      (array_agg(n.reach_id order by n.started_at desc, n.event_id desc))[1] as reach_id
    from numbered n group by n.session_id, n.signal, n.number`;
}
