import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Creates what collects everything that can be collected. */
export function createCollector(): () => void {
  setFlagsFromString("--expose_gc");
  return runInNewContext("gc") as () => void;
}

/** Creates what tells how much of the heap is in use after everything that can be collected is collected, in MB. */
export function createHeapGauge(): () => number {
  const collect = createCollector();
  return () => {
    collect();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
}
