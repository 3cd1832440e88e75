import { afterEach, expect, test, vi } from "vitest";
import { createTroubleLog } from "../../src/base/log.js";
import { maxInt32 } from "../../src/base/options.js";
import { startCompactor } from "../../src/cli/compactor.js";

afterEach(() => {
  vi.restoreAllMocks();
});

test("the longest time between two compactions is not taken for the shortest", async () => {
  // The latest that chance may choose: Node's timers take what is too long for 1 ms.
  vi.spyOn(Math, "random").mockReturnValue(0.99);
  const compact = vi.fn<() => Promise<number>>();
  const warned = vi.fn();
  process.on("warning", warned);
  const compactor = startCompactor({
    everyMs: maxInt32,
    log: createTroubleLog(false),
    compact,
    isComplete: () => Promise.resolve(true),
  });
  await new Promise(setImmediate);
  await compactor.stop();
  process.off("warning", warned);
  expect(warned).not.toHaveBeenCalled();
  expect(compactor.stats()).toMatchObject({ runs: 0, skipped: 0 });
  expect(compact).not.toHaveBeenCalled();
});
