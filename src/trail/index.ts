export type { SessionActivityRun } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
export { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
export type { RunState } from "../publishing/run-record.js";
export type { NumberRange } from "./number-ranges.js";
export { createRunChecker, type RunChecker, type RunCheckerOptions } from "./run-checker.js";
export type {
  LostNumbers,
  Numbers,
  RangeReport,
  RangeVerdict,
  RunCondition,
  RunReport,
  RunVerdict,
  UnknownReason,
} from "./run-report.js";
