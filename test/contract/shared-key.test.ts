import { createContextValues } from "@connectrpc/connect";
import { expect, it, vi } from "vitest";
import { createSharedKey } from "../../src/contract/shared-key.js";

it("makes keys by which one copy of the package finds what another has set", async () => {
  const own = createSharedKey("thing", "none");
  vi.resetModules();
  const other = await import("../../src/contract/shared-key.js");
  expect(other.createSharedKey).not.toBe(createSharedKey);
  const values = createContextValues().set(own, "set");
  expect(values.get(other.createSharedKey("thing", "none"))).toBe("set");
  expect(values.get(other.createSharedKey("another thing", "none"))).toBe("none");
});
