import type { EventLoopUtilityFunction } from "node:perf_hooks";

// With the types of browsers beside those of Node, `performance` is the browsers' one. What runs in Node has more.
declare global {
  interface Performance {
    readonly eventLoopUtilization: EventLoopUtilityFunction;
  }
}
