import { afterEach, expect, it } from "vitest";
import type { SessionActivityEvent } from "../../src/index.js";
import { eventOf } from "../history/history-fixtures.js";
import { generateSessions, type Session } from "../history/sessions.js";
import { createRandom } from "../support/random.js";
import { type PostgresServer, startPostgres } from "./postgres-server.js";
import { errorOf, expectModel, type Scene, sessionData, setScene } from "./scene.js";
import { canMount, limitFileSize, mountSmallDisk } from "./small-disk.js";

/** The last write may have been cut short, above all before PostgreSQL 16. */
const noSpace = /No space left on device|wrote only \d+ of 8192 bytes/;

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function start(folder?: string): Promise<PostgresServer> {
  const settings = { max_wal_size: "32MB", min_wal_size: "32MB" };
  const server = await startPostgres({ settings, ...(folder !== undefined && { folder }) });
  cleanUps.push(() => {
    expect(server.log()).not.toMatch(sessionData);
    return server.close();
  });
  return server;
}

/** Records batch after batch until one fails. Each is one transaction. */
async function fill({ history }: Scene): Promise<{ all: Session[]; failed: SessionActivityEvent[]; error: Error }> {
  const random = createRandom(16);
  const all: Session[] = [];
  for (let number = 0; ; number += 1) {
    const sessions = generateSessions(random, `secret-fill-${number}`, 100);
    const batch = sessions.flatMap(({ happened }) => happened).map(eventOf);
    all.push(...sessions);
    const error = await history.recordBatch(batch).then(
      () => undefined,
      (reason: Error) => reason,
    );
    if (error !== undefined) return { all, failed: batch, error: await errorOf(Promise.reject(error)) };
  }
}

/** What failed left nothing, and where there is room again, it is recorded, and so is what comes next. */
async function expectAllAfter(server: PostgresServer, set: Scene, filled: Awaited<ReturnType<typeof fill>>) {
  const ids = filled.failed.map(({ eventId }) => `'${eventId}'`).join();
  const left = await server.sql(set.name, `select 1 from signal_history.activity where event_id in (${ids})`);
  expect(left).toEqual([]);
  await set.history.recordBatch(filled.failed);
  await set.history.recordBatch(set.batch);
  await expectModel(server, set.name, [...set.sessions, ...filled.all]);
}

it("a file that must not grow any more leaves nothing half recorded", async () => {
  const server = await start();
  const set = await setScene(server, "file_limit");
  cleanUps.push(() => set.close());
  const walSegment = 16 * 2 ** 20;
  // The limit is for all files of the process, so the table has to be larger than one of the write-ahead log.
  await server.sql(
    set.name,
    `insert into signal_history.observation (session_id, signal, started_at, event_id, value, is_change)
      select 'another', 'note', now(), n::text, repeat('x', 1000), false from generate_series(1, 20000) n`,
  );
  const [{ pid }] = (await set.database.query("select pg_backend_pid() as pid")).rows as [{ pid: number }];
  limitFileSize(pid, walSegment);
  const filled = await fill(set);
  expect(filled.error.message).toMatch(/could not (extend|write)/);
  // The limit is that of the connection's process, and the pool keeps a connection on which a statement failed.
  await server.sql(set.name, `select pg_terminate_backend(${pid})`);
  await server.sql(set.name, "delete from signal_history.observation where session_id = 'another'");
  await expectAllAfter(server, set, filled);
});

if (canMount()) {
  it("a full tablespace leaves nothing half recorded", async () => {
    const server = await start();
    const disk = mountSmallDisk(24)!;
    cleanUps.push(() => disk.remove());
    await server.sql("postgres", `create tablespace small location '${disk.folder}'`);
    const set = await setScene(server, "full_space", { madeWith: "tablespace small" });
    cleanUps.push(() => set.close());
    const filled = await fill(set);
    expect(filled.error).toMatchObject({ code: "53100" });
    expect(filled.error.message).toMatch(noSpace);
    disk.grow(100);
    await expectAllAfter(server, set, filled);
    await server.sql("postgres", "drop database full_space with (force)");
  });

  it("a full disk under the whole server leaves nothing half recorded", async () => {
    const disk = mountSmallDisk(120)!;
    cleanUps.push(() => disk.remove());
    const server = await start(disk.folder);
    const set = await setScene(server, "all_full");
    cleanUps.push(() => set.close());
    const filled = await fill(set);
    // Where the write-ahead log cannot grow, PostgreSQL ends.
    expect(filled.error.message).toMatch(
      new RegExp(`${noSpace.source}|terminated unexpectedly|terminating connection`),
    );
    disk.grow(300);
    await server.kill();
    await server.start();
    await expectAllAfter(server, set, filled);
  });
}
