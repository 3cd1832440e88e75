/** A time as a number: what clients make of a timestamptz differs, and a Date has no microseconds. */
export function microsOf(time: string): string {
  return `(extract(epoch from ${time}) * 1000000)::bigint::text`;
}

/** The value that a change replaces: that of the observation before it. */
export function previousValueOf(schema: string, change: string): string {
  return `(select p.value from ${schema}.observation p
      where p.session_id = ${change}.session_id and p.signal = ${change}.signal
        and (p.started_at, p.event_id) < (${change}.started_at, ${change}.event_id)
      order by p.started_at desc, p.event_id desc limit 1)`;
}

/** What version 2 tells of a change, by name: columns of an observation and of its activity. */
function columnsOf(observation: string, activity: string, previousValue: string): [string, string][] {
  return [
    ["session_id", `${observation}.session_id`],
    ["signal", `${observation}.signal`],
    ["value", `${observation}.value`],
    ["event_id", `${observation}.event_id`],
    ["service", `${activity}.service`],
    ["action", `${activity}.action`],
    ["procedure", `${activity}.procedure`],
    ["status", `${activity}.status`],
    ["verified", `${activity}.verified`],
    ["started_micros", microsOf(`${observation}.started_at`)],
    ["completed_micros", microsOf(`${activity}.completed_at`)],
    ["previous_value", previousValue],
  ];
}

/** The columns of a query for changes, as texts: what clients make of other types is for their users to set. */
export function changeColumns(schema: string, change: string): string {
  return [
    ...columnsOf(change, change, previousValueOf(schema, change)),
    ["status_inferred", `${change}.status_inferred`],
  ]
    .map(([name, column]) => `(${column})::text as ${name}`)
    .join(", ");
}

/** The same as one JSON value. `further` are columns of the activity that version 2 does not have. */
export function changeAsJson(
  observation: string,
  activity: string,
  previousValue: string,
  further: readonly string[],
): string {
  const entries = [
    ...columnsOf(observation, activity, previousValue),
    ...further.map((name) => [name, `${activity}.${name}`]),
  ].map(([name, column]) => `'${name}', ${column}`);
  return `jsonb_build_object(${entries.join(", ")})`;
}
