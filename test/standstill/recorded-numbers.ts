import type { SignalDatabase } from "../../src/history/index.js";
import { numberIn } from "./odd-records.js";

const pageSize = 10_000;
/** Events that are kept, be they placed or not. */
const tables = ["activity", "late_activity"];

/** Which of the numbered events a history holds: 1 at the places of their numbers. */
export async function recordedNumbers(database: SignalDatabase, count: number): Promise<Uint8Array> {
  const found = new Uint8Array(count);
  for (const table of tables) {
    for (let after: string | undefined = ""; after !== undefined; ) {
      const { rows } = await database.query(
        `select event_id from signal_history.${table} where event_id > $1 order by event_id limit ${pageSize}`,
        [after],
      );
      const ids: string[] = rows.map((row) => String((row as { event_id: unknown }).event_id));
      for (const id of ids) found[numberIn(id) ?? count] = 1;
      after = ids.length < pageSize ? undefined : ids.at(-1);
    }
  }
  return found;
}
