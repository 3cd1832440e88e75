export {
  type InstrumentedConsumer,
  type InstrumentedWorker,
  instrumentHistoryWorker,
  instrumentSessionActivityConsumer,
} from "./instrument-consumer.js";
export { instrumentSessionTracking } from "./instrument-tracking.js";
export type { Instrumentation } from "./observed.js";
export type { InstrumentationOptions } from "./telemetry-options.js";
export { type RecordHeaders, traceContextOf, withTraceContext } from "./trace-context.js";
