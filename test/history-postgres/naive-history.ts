import { type SignalDatabase, sessionContextSignals } from "../../src/history/index.js";
import type { SessionActivityEvent } from "../../src/index.js";

/**
 * What one would write first: a change is recorded where a value differs from the one recorded last. It takes each event once,
 * and one at a time. The tests must find it wrong.
 */
export async function createNaiveHistory(
  database: SignalDatabase,
): Promise<{ record(event: SessionActivityEvent): Promise<void> }> {
  await database.query("create schema naive");
  await database.query("create table naive.event (event_id text primary key)");
  await database.query(`create table naive.change (
    number bigserial primary key, session_id text, signal text, value text, started_at timestamptz, event_id text)`);
  await database.query("create index on naive.change (session_id, signal, number)");

  return {
    async record(event: SessionActivityEvent): Promise<void> {
      const { sessionId = "", signals = {} } = sessionContextSignals(event) ?? {};
      await database.query(
        `with fresh as (insert into naive.event values ($1) on conflict do nothing returning event_id)
        insert into naive.change (session_id, signal, value, started_at, event_id)
        select $2, s.key, s.value, to_timestamp($3::float8), $1
        from fresh, jsonb_each_text($4::text::jsonb) s
        where s.value <> '' and s.value is distinct from (
          select c.value from naive.change c where c.session_id = $2 and c.signal = s.key order by c.number desc limit 1)`,
        [
          event.eventId,
          sessionId,
          Number(event.startedAt!.seconds) + event.startedAt!.nanos / 1e9,
          JSON.stringify(signals),
        ],
      );
    },
  };
}
