import { expect, it } from "vitest";
import { damageFaults, runDamage } from "../disk/damage-trials.js";
import { createRandom } from "../support/random.js";

it("delivers what can be read of a damaged spool, says so, and invents nothing", async () => {
  const counts = await runDamage(60, createRandom(17));
  expect(damageFaults(counts)).toEqual([]);
}, 120_000);
