import { expect, it } from "vitest";
import { runNode } from "./run-program.js";

it("the Schema Registry's own client reads records of this package, and writes the same frames", async () => {
  expect(JSON.parse(await runNode(["app/schema-registry.mjs"]))).toEqual({
    header: { ours: "event-1", theirs: "event-1" },
    prefix: { ours: "event-1", theirs: "event-1" },
    isSamePrefix: true,
    isSameHeader: true,
  });
});
