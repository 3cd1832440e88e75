import { expect, it } from "vitest";
import { runNode, works } from "./run-program.js";

const result = async (args: readonly string[]): Promise<unknown> => JSON.parse(await runNode(args));

it("Node, ESM", async () => {
  expect(await result(["app/main.mjs"])).toEqual(works);
});

it("Node, CommonJS by require", async () => {
  expect(await result(["app/main.cjs"])).toEqual(works);
});

it("Node, worker thread", async () => {
  expect(await result(["app/worker-thread.mjs"])).toEqual({ ...works, delivered: 0, dropped: { no_client: 1 } });
});

it("Node, two copies of this package", async () => {
  const seen = { isTwo: true, context: "opaque", attributes: { target: "user/42" }, second: 0 };
  expect(await result(["app/two-copies.mjs"])).toEqual(seen);
});

it("tsx", async () => {
  expect(await result(["node_modules/tsx/dist/cli.mjs", "app/main.ts"])).toEqual(works);
});
