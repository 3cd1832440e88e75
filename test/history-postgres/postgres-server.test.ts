import { afterAll, beforeAll, expect, it } from "vitest";
import { type PostgresServer, startPostgres } from "./postgres-server.js";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.close());

it("is durable, and keeps what was committed when it is killed and when it is stopped", async () => {
  const [settings] = await server.sql(
    "postgres",
    "select current_setting('fsync') || current_setting('full_page_writes') || current_setting('synchronous_commit') as all",
  );
  expect(settings).toEqual({ all: "ononon" });
  await server.sql("postgres", "create table kept (n int)", "insert into kept values (1)");
  await server.kill();
  await server.start();
  await server.sql("postgres", "insert into kept values (2)");
  await server.stop();
  await server.start();
  expect(await server.sql("postgres", "select n from kept order by n")).toEqual([{ n: 1 }, { n: 2 }]);
  expect(server.log()).toContain("database system was not properly shut down");
});
