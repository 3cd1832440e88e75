import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { historySettings } from "../../src/history/history-options.js";
import { createSignalHistory, openSignalDatabase } from "../../src/history/index.js";
import { activityOf } from "../../src/history/recorded-activity.js";
import { migrateStatement } from "../../src/history/schema.js";
import { eventOf } from "../history/history-fixtures.js";
import { deliveriesOf, generateSessions } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { notDurable, type PostgresServer, startPostgres } from "./postgres-server.js";
import { expectModel } from "./scene.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres({ settings: notDurable });
});
afterAll(() => server?.close());

it("processes of version 2 record, ask and compact while the schema is brought to the newest version, and after that", async () => {
  const url = await server.createDatabase("upgrade");
  const database = openSignalDatabase({ url, maxConnections: 6 });
  onTestFinished(() => database.close());
  await database.query(migrateStatement("signal_history", 2));
  const random = createRandom(31);
  const sessions = generateSessions(random, "s", 600);
  const settings = historySettings({ database, env: false });
  const recorded = { before: 0, after: 0 };
  let migrated = false;

  /** What such a process does. */
  async function workAsBefore(number: number): Promise<void> {
    for (const batch of deliveriesOf(sessions, createRandom(number), 60)) {
      const found = await Promise.all(batch.map((told) => activityOf(eventOf(told), settings)));
      const activities = found.flatMap((one) => (one.kind === "activity" ? [one.activity] : []));
      const once = new Map(activities.map((activity) => [activity.event_id, activity]));
      await database.query("select * from signal_history.record_activities_2($1::text::jsonb, null)", [
        JSON.stringify([...once.values()]),
      ]);
      await database.query(
        `select c.*, (select p.value from signal_history.observation p where p.session_id = c.session_id limit 1) as previous
          from signal_history.change c order by c.started_at, c.event_id, c.signal limit 100`,
      );
      // Far enough in the past to remove nothing.
      await database.query("select * from signal_history.compact('10 years', 100)");
      recorded[migrated ? "after" : "before"] += 1;
    }
  }

  const history = createSignalHistory({ database, log: false });
  async function update(): Promise<void> {
    while (recorded.before < 20) await database.query("select pg_sleep(0.01)");
    await Promise.all([history.migrate(), history.migrate()]);
    migrated = true;
    for (const batch of deliveriesOf(sessions, random, 60)) await history.recordBatch(batch.map(eventOf));
  }

  await Promise.all([update(), ...[1, 2, 3].map(workAsBefore)]);
  expect(recorded.after).toBeGreaterThan(20);
  await expectModel(server, "upgrade", sessions);
  expect(server.log()).not.toMatch(/deadlock detected|ERROR/);
});
