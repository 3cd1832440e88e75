import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Creates what tells how much of the heap is in use after everything that can be collected is collected, in MB. */
export function createHeapGauge(): () => number {
  setFlagsFromString("--expose_gc");
  const collect = runInNewContext("gc") as () => void;
  return () => {
    collect();
    return process.memoryUsage().heapUsed / 2 ** 20;
  };
}
