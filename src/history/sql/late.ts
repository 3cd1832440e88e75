import { historyLock } from "./lock.js";

/** The texts of a late activity, and about what its row and its places in the indexes take. */
const texts = [
  "event_id",
  "session_id",
  "service",
  "action",
  "procedure",
  "status",
  "reason",
  "context_problem",
  "signals::text",
  "not_counted",
  "offered::text",
];
const sizesOf = (from: string): string =>
  `(select coalesce(sum(300 + ${texts.map((text) => `coalesce(octet_length(l.${text}), 0)`).join(" + ")}), 0) from ${from} l)`;

/**
 * Keeps count of how many bytes the late activities take, in the history's state, whoever adds or removes some. A statement counts
 * once: a batch may be late as a whole. It changes the state last, so that nobody who holds it waits for anything.
 */
export function countLate(schema: string): string {
  const trigger = (name: string, event: string, rows: "new" | "old"): string => `
create trigger ${name} after ${event} on ${schema}.late_activity
referencing ${rows} table as touched for each statement execute function ${schema}.count_late();`;
  return `
-- Nobody records or forgets meanwhile.
perform pg_advisory_xact_lock(${historyLock(schema)});
lock table ${schema}.late_activity in share row exclusive mode;

alter table ${schema}.state add column late_bytes bigint not null default 0;

create function ${schema}.count_late() returns trigger
language plpgsql
as $count$
declare
  bytes bigint := ${sizesOf("touched")};
begin
  if bytes > 0 then
    update ${schema}.state set late_bytes = late_bytes + case when tg_op = 'INSERT' then bytes else -bytes end;
  end if;
  return null;
end
$count$;
${trigger("count_late_added", "insert", "new")}
${trigger("count_late_removed", "delete", "old")}

update ${schema}.state set late_bytes = ${sizesOf(`${schema}.late_activity`)};
`;
}
