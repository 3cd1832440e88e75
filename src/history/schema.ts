import { compactByRunsFunction, compactFunction } from "./sql/compact.js";
import { forgetFunction, forgetSliceFunction } from "./sql/forget.js";
import { countLate } from "./sql/late.js";
import { recordAndTellFunction, recordFunction } from "./sql/record.js";
import { searchColumns, uncountedColumns } from "./sql/search.js";
import { boundedSetAsideFunction, countSetAside, setAsideFunction } from "./sql/set-aside.js";
import { furtherTables, tables } from "./sql/tables.js";

/** What recording takes of an activity since version 5, and since version 6. */
const searched = { flags: ["status_inferred"], untold: { mark_hash: "text", context_problem: "text" } } as const;
const explained = { ...searched, untold: { ...searched.untold, not_counted: "text", offered: "jsonb" } } as const;

/**
 * The migrations in their order: each brings the schema to its place in the list, counted from 1. One that was released never
 * changes; what changes comes after it. A function whose signature changes gets a new name, so that processes of the last
 * version go on while those of the next begin.
 */
const migrations: readonly ((schema: string) => string)[] = [
  (schema) => [tables(schema), recordFunction(schema), compactFunction(schema), forgetFunction(schema)].join("\n"),
  // Recording answers with the changes. The function of version 1 stays for processes that still run it.
  (schema) => recordAndTellFunction(schema, { version: 2 }),
  // Changes say whether their status is inferred, no work grows with the past of one session, and what cannot be recorded
  // is set aside. What version 2 runs goes on, and its forget erases what is new as well.
  (schema) =>
    [
      furtherTables(schema),
      recordAndTellFunction(schema, { version: 3, flags: ["status_inferred"] }),
      compactByRunsFunction(schema),
      forgetSliceFunction(schema),
      setAsideFunction(schema),
    ].join("\n"),
  // What was set aside has a bound. It is counted also for processes of version 3, which do not know the bound.
  (schema) => [countSetAside(schema), boundedSetAsideFunction(schema)].join("\n"),
  // Activities can be searched, and those with one signature are told. What version 4 runs goes on, without the new columns.
  (schema) => [searchColumns(schema), recordAndTellFunction(schema, { version: 5, ...searched })].join("\n"),
  // An activity that does not count says why, and what it came with. What version 5 runs goes on, without the new columns.
  (schema) => [uncountedColumns(schema), recordAndTellFunction(schema, { version: 6, ...explained })].join("\n"),
  // Late activities have a bound, too. They are counted also for processes of version 6, which do not know the bound.
  (schema) =>
    [countLate(schema), recordAndTellFunction(schema, { version: 7, ...explained, boundsLate: true })].join("\n"),
];

/** The version that this package works with. */
export const schemaVersion: number = migrations.length;

/**
 * The statement that brings the schema to the newest version, or to the given one. It is one statement, so it happens as a
 * whole or not at all, and processes that run it at the same time wait for each other.
 */
export function migrateStatement(schema: string, version: number = schemaVersion): string {
  const steps = migrations.slice(0, version).map(
    (migration, index) => `
    if coalesce(present, 0) < ${index + 1} then
      ${migration(schema)}
      insert into ${schema}.migration (version) values (${index + 1});
    end if;`,
  );
  return `do $migrate$
declare
  present int;
begin
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'a signal history needs a database with the encoding UTF8, not %', current_setting('server_encoding');
  end if;
  perform pg_advisory_xact_lock(hashtextextended('${schema}.migration', 0));
  -- Not "if not exists": that needs the right to create what is there already, and who only records has none.
  if to_regnamespace('${schema}') is null then
    create schema ${schema};
  end if;
  if to_regclass('${schema}.migration') is null then
    create table ${schema}.migration (
      version int primary key,
      applied_at timestamptz not null default now()
    );
  end if;
  select max(version) into present from ${schema}.migration;
  if present > ${version} then
    raise exception 'the signal history in schema ${schema} has version %, and this package knows ${version}: update the package', present;
  end if;
  ${steps.join("\n")}
end
$migrate$`;
}
