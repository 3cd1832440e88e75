// The example of docs/service.md.
import { fromBinary } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { createSessionActivityInterceptor, type Publisher, SessionActivityEventSchema } from "../../src/index.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import { at } from "./pages.js";

interface Row {
  readonly eventId: string;
  readonly sequence: bigint;
  readonly action: string;
  readonly status: string;
  readonly bytes: Uint8Array;
}

it("a publisher of one's own stores the bytes of each event, and is told of by onDrop", async () => {
  const { createTablePublisher } = (await import(at("dist/examples/publisher/table-publisher.js"))) as {
    createTablePublisher: (insert: (row: Row) => Promise<void>) => Publisher;
  };
  const rows: Row[] = [];
  const publisher = createTablePublisher(async (row) => {
    if (row.sequence === 2n) throw new Error("the table is locked");
    rows.push(row);
  });
  const lost: string[] = [];
  const interceptor = createSessionActivityInterceptor({
    service: "account-service",
    publisher,
    onDrop: (reason, { eventId }) => void lost.push(`${reason} ${eventId}`),
  });
  const { contextValues } = interceptor;
  const server = await startAccountServer(
    { changePassword: () => ({ revision: 1 }) },
    { interceptors: [interceptor], contextValues },
  );
  for (let call = 0; call < 3; call++) await accountClient(server).changePassword({}, { headers: marks() });
  await interceptor.drain(5_000);
  expect(await publisher.close()).toEqual({ offered: 3, delivered: 2, dropped: { error: 1 }, queued: 0 });
  expect(rows.map(({ sequence, status }) => [sequence, status])).toEqual([
    [1n, "OK"],
    [3n, "OK"],
  ]);
  for (const { bytes, eventId, sequence } of rows) {
    expect(fromBinary(SessionActivityEventSchema, bytes)).toMatchObject({ eventId, sequence });
  }
  expect(lost).toEqual([expect.stringMatching(/^error [\da-f-]{36}$/)]);
});
