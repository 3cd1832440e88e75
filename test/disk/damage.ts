// Damages spools in many ways, and finds out what a process makes of them: `npm run damage -- --trials 500 --seed 7`.
import { parseArgs } from "node:util";
import { createRandom } from "../support/random.js";
import { damageFaults, runDamage } from "./damage-trials.js";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "500" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
  },
});
console.log(`seed ${values.seed}`);
const counts = await runDamage(Number(values.trials), createRandom(Number(values.seed)));
console.log(JSON.stringify(counts, undefined, 2));
const faults = damageFaults(counts);
console.log(faults.length === 0 ? "nothing invented, nothing silent" : `not as it should be:\n${faults.join("\n")}`);
process.exitCode = faults.length === 0 ? 0 : 1;
