import { changeAsJson, previousValueOf } from "./change-columns.js";
import { historyLock, sessionLock } from "./lock.js";
import { planned } from "./plan.js";

/**
 * The function that records a batch of activities, in one transaction with whoever calls it.
 *
 * Each statement of a function sees what was committed before that statement, so the second one, which begins when the locks
 * are held, sees all that those who held them before have written. At other isolation levels it would not.
 *
 * What it does is right in any order: an observation is placed among those of its session and signal by (started_at,
 * event_id); it is a change if it differs from its predecessor; and of what was there before, only its successor can
 * become one by it, or stop being one.
 */
export function recordFunction(schema: string): string {
  return `
create function ${schema}.record_activities(batch jsonb, key_id text)
returns table (${counts})
language plpgsql
${planned}
as $record$
declare
  closed timestamptz;
  known_key text;
begin
  ${lockSessions(schema)}
  return query
  ${placeActivities(schema, [], {})}
  select
    ${counted}
  from judged j;
end
$record$;
`;
}

/**
 * The same function, which also answers with the changes that the batch made, as JSON. They are what it has computed anyway,
 * so only a batch with changes costs more, and only by making that text.
 *
 * An event that was recorded before may come because its reader ended before it could act on the changes. So its changes are
 * looked up, which costs an index lookup for each such event.
 */
export function recordAndTellFunction(
  schema: string,
  { version, flags: further = [], untold = {}, boundsLate = false }: RecordVersion,
): string {
  const late = boundsLate ? boundedLate(schema) : unboundedLate;
  return `
create function ${schema}.record_activities_${version}(batch jsonb, key_id text${late.parameter})
returns table (${counts}${late.result}, changes jsonb)
language plpgsql
${planned}
as $record$
declare
  closed timestamptz;
  known_key text;
  known_events text[];
  ${late.variable}
begin
  ${lockSessions(schema)}
  ${late.look}
  ${placeActivities(schema, further, untold, late.ifRoom)}
  select
    ${counted},
    (select jsonb_agg(${changeAsJson("p", "j", "p.previous_value", further)})
      from placed p join judged j using (event_id) where p.is_change),
    array_agg(j.event_id) filter (where j.verdict = 'duplicate' and j.is_known)${late.counted}
  into recorded, changed, duplicate, forgotten, late, conflicting, ahead, changes, known_events${late.into}
  from judged j;
  if known_events is not null then
    -- "offset 0" keeps each of these an index lookup for each event, here by the index of events.
    select coalesce(changes, '[]')
      || coalesce(jsonb_agg(${changeAsJson("o", "a", previousValueOf(schema, "o"), further)}), '[]')
    into changes
    from unnest(known_events) as k(event_id)
    cross join lateral (select o.* from ${schema}.observation o where o.event_id = k.event_id offset 0) o
    cross join lateral (select a.* from ${schema}.activity a where a.event_id = k.event_id offset 0) a
    where o.is_change;
  end if;
  return next;
end
$record$;
`;
}

/** What a version of the function does beyond the first one. */
interface RecordVersion {
  readonly version: number;
  /** Flags of an activity that it takes, and tells with its changes. */
  readonly flags?: readonly string[];
  /** Columns that it keeps of an activity and does not tell, with their types. */
  readonly untold?: Readonly<Record<string, "text" | "jsonb">>;
  /**
   * Whether it keeps late activities only while they take less than a bound. It looks once for a batch, so a batch may go over
   * the bound, and so may each of those that come at the same moment.
   */
  readonly boundsLate?: boolean;
}

const isLate = "j.verdict in ('ahead', 'late', 'conflicting')";

/** What the bound on late activities adds to the function. */
function boundedLate(schema: string): typeof unboundedLate {
  return {
    parameter: ", max_late_bytes bigint",
    result: ", late_full bigint",
    variable: "has_room boolean;",
    look: `select s.late_bytes < max_late_bytes into has_room from ${schema}.state s;`,
    ifRoom: " and (j.verdict = 'placed' or has_room)",
    counted: `, count(*) filter (where ${isLate} and not has_room)`,
    into: ", late_full",
  };
}

const unboundedLate = { parameter: "", result: "", variable: "", look: "", ifRoom: "", counted: "", into: "" };

const counts =
  "recorded bigint, changed bigint, duplicate bigint, forgotten bigint, late bigint, conflicting bigint, ahead bigint";

const counted = `count(*) filter (where j.verdict = 'placed'),
    (select count(*) from placed p where p.is_change),
    count(*) filter (where j.verdict = 'duplicate'),
    count(*) filter (where j.verdict = 'forgotten'),
    count(*) filter (where j.verdict = 'late'),
    count(*) filter (where j.verdict = 'conflicting'),
    count(*) filter (where j.verdict = 'ahead')`;

/** Shares the history's lock with others who write, and learns what is closed and forgotten. */
export function lockHistory(schema: string): string {
  return `
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a signal history is recorded at the isolation level read committed, not at %',
      current_setting('transaction_isolation');
  end if;
  if current_setting('transaction_read_only') = 'on' then
    raise exception 'a signal history cannot be recorded where the database is read only'
      using errcode = 'read_only_sql_transaction';
  end if;
  perform pg_advisory_xact_lock_shared(${historyLock(schema)});
  select s.closed_through, s.tombstone_key_id into closed, known_key from ${schema}.state s;
  if known_key is distinct from key_id and known_key is not null then
    raise exception 'somebody was forgotten in this signal history: it needs the tombstoneKey of that time';
  end if;
`;
}

function lockSessions(schema: string): string {
  return `
  ${lockHistory(schema)}
  -- In one order, so that two batches never wait for each other.
  perform pg_advisory_xact_lock(s.lock) from (
    select distinct ${sessionLock(schema, "e.session_id")} as lock
    from jsonb_to_recordset(batch) as e(session_id text) order by 1
  ) s;
`;
}

/** What the first version keeps of an activity. */
const activityColumns = [
  "event_id",
  "session_id",
  "started_at",
  "completed_at",
  "service",
  "action",
  "procedure",
  "status",
  "verified",
];

/**
 * Places the activities, up to the last step, which counts what became of them. `ifRoom` is a further condition of what is
 * kept.
 */
function placeActivities(
  schema: string,
  further: readonly string[],
  untold: Readonly<Record<string, string>>,
  ifRoom: string = "",
): string {
  const kept = [...activityColumns, ...further, ...Object.keys(untold)];
  const columns = kept.join(", ");
  const values = kept.map((name) => `j.${name}`).join(", ");
  return `
  with event as materialized (
    -- "offset 0" keeps each of these an index lookup for each event.
    select e.*,
      exists (select 1 from ${schema}.tombstone t where t.mark = any(e.marks) offset 0) as is_forgotten,
      exists (select 1 from ${schema}.activity a where a.event_id = e.event_id offset 0)
        or exists (select 1 from ${schema}.late_activity l where l.event_id = e.event_id offset 0) as is_known
    from jsonb_to_recordset(batch) as e(
      event_id text collate "C", session_id text collate "C", user_id text collate "C",
      started_at timestamptz, completed_at timestamptz,
      service text, action text, procedure text, status text, verified boolean, signals jsonb, marks text[]
      ${further.map((name) => `, ${name} boolean`).join("")}${Object.entries(untold)
        .map(([name, type]) => `, ${name} ${type}`)
        .join("")}
    )
  ), judged as materialized (
    -- One row for each event, with its observations in arrays: of steps that are joined, PostgreSQL does not know the sizes.
    select e.*, o.signal, o.value, o.before_at, o.before_id, o.before_value, o.is_covered,
      case
        when e.is_forgotten then 'forgotten'
        when e.is_known then 'duplicate'
        when e.started_at > now() + interval '1 day' then 'ahead'
        when e.completed_at <= closed and not o.is_all_same then 'late'
        when o.is_any_conflicting then 'conflicting'
        -- It changes nothing, wherever it stands: a replay of what the compactor has removed, most likely.
        when e.completed_at <= closed or o.is_all_covered then 'duplicate'
        else 'placed'
      end as verdict
    from event e
    left join lateral (
      select array_agg(o.signal) as signal, array_agg(o.value) as value,
        array_agg(o.before_at) as before_at, array_agg(o.before_id) as before_id,
        array_agg(o.before_value) as before_value, array_agg(o.is_covered) as is_covered,
        bool_and(o.is_same) as is_all_same, bool_and(o.is_covered) as is_all_covered,
        bool_or(o.is_covered and not o.is_same) as is_any_conflicting
      from (
        select s.signal, s.value, p.started_at as before_at, p.event_id as before_id, p.value as before_value,
          -- The compactor has removed observations here, of the same value as that before.
          coalesce((p.covers_until_at, p.covers_until_event_id) > (e.started_at, e.event_id), false) as is_covered,
          coalesce(p.value = s.value collate "C", false) as is_same
        from jsonb_each_text(e.signals) as s(signal, value)
        left join lateral (
          select p.* from ${schema}.observation p
          where p.session_id = e.session_id and p.signal = s.signal collate "C"
            and (p.started_at, p.event_id) < (e.started_at, e.event_id)
          order by p.started_at desc, p.event_id desc limit 1
        ) p on true
      ) o
    ) o on not e.is_forgotten and not e.is_known
  ), neighbouring as (
    select j.session_id, j.started_at, j.event_id, o.*,
      lag(j.started_at) over w as beside_at, lag(j.event_id) over w as beside_id, lag(o.value) over w as beside_value
    from judged j
    cross join lateral unnest(j.signal, j.value, j.before_at, j.before_id, j.before_value, j.is_covered)
      as o(signal, value, before_at, before_id, before_value, is_covered)
    where j.verdict = 'placed' and not o.is_covered
    window w as (partition by j.session_id, o.signal order by j.started_at, j.event_id)
  ), placed as materialized (
    select n.*, v.previous_value, n.value is distinct from v.previous_value as is_change
    from neighbouring n
    cross join lateral (
      select case
        when n.before_at is null or (n.beside_at, n.beside_id) > (n.before_at, n.before_id) then n.beside_value
        else n.before_value
      end as previous_value
    ) v
  ), add_observations as (
    insert into ${schema}.observation (session_id, signal, started_at, event_id, value, is_change)
    select p.session_id, p.signal, p.started_at, p.event_id, p.value, p.is_change from placed p
  ), successor as materialized (
    -- The last one placed before it is its new predecessor.
    select distinct on (s.session_id, s.signal, s.started_at, s.event_id)
      s.ctid as place, s.is_change as was_change, s.value <> p.value as is_change
    from placed p
    cross join lateral (
      select s.ctid, s.* from ${schema}.observation s
      where s.session_id = p.session_id and s.signal = p.signal
        and (s.started_at, s.event_id) > (p.started_at, p.event_id)
      order by s.started_at, s.event_id limit 1
    ) s
    order by s.session_id, s.signal, s.started_at, s.event_id, p.started_at desc, p.event_id desc
  ), change_successors as (
    -- Found by their places in the table, which nobody else changes while the locks are held.
    update ${schema}.observation o set is_change = not o.is_change
    where o.ctid = any(array(select s.place from successor s where s.was_change <> s.is_change))
  ), add_activities as (
    insert into ${schema}.activity (${columns})
    select ${values}
    from judged j where j.verdict = 'placed'
  ), add_late as (
    insert into ${schema}.late_activity (${columns}, signals, reason)
    select ${values}, j.signals, j.verdict
    from judged j where ${isLate}${ifRoom}
  ), add_users as (
    insert into ${schema}.session_user (user_id, session_id)
    select distinct j.user_id, j.session_id
    from judged j where j.verdict in ('placed', 'ahead', 'late', 'conflicting') and j.user_id is not null${ifRoom}
    on conflict do nothing
  )
`;
}
