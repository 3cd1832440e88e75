import type { Progress, StandstillReport } from "./run-standstill.js";

/** At most so much of all that is sent is poison: what a history must not refuse is not called poison to get rid of it. */
const maxPoisonPart = 0.05;
/** So far memory may grow from the first tenth to the last. */
const maxGrowth = 0.1;
/** A shorter run's first tenth is still warming up. */
const leastForMemory = 100_000;

/** What is wrong in a report, each in a sentence. */
export function faultsOf(report: StandstillReport): string[] {
  const { standsAt, missing, surplus, sent, counted, tenths } = report;
  const total = sent.recorded + sent.silent + sent.poison;
  return [
    ...standsAt.map((text) => `a partition stands still at ${text}`),
    ...Object.entries(missing).map(([kind, count]) => `${count} good events are not recorded: ${kind}`),
    ...Object.entries(surplus).map(([kind, count]) => `${count} records are recorded and should not be: ${kind}`),
    ...(counted.poison === sent.poison ? [] : [`of ${sent.poison} poison records, ${counted.poison} are counted`]),
    ...(counted.silent === sent.silent ? [] : [`of ${sent.silent} silent events, ${counted.silent} are counted`]),
    ...(sent.poison <= total * maxPoisonPart ? [] : [`${sent.poison} of ${total} records are poison`]),
    ...growthOf(tenths, total),
  ];
}

function growthOf(tenths: readonly Progress[], total: number): string[] {
  const [first, last] = [tenths[0], tenths.at(-1)];
  if (total < leastForMemory || first === undefined || last === undefined) return [];
  return (["heapMb", "residentMb"] as const)
    .filter((memory) => Math.abs(last[memory] - first[memory]) >= first[memory] * maxGrowth)
    .map((memory) => `${memory} was ${first[memory]} at a tenth, and is ${last[memory]} at the end`);
}
