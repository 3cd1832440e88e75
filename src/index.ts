export type { SessionActivityEvent, SessionContext } from "../gen/sessionactivity/v1/session_activity_pb.js";
export { SessionActivityEventSchema, SessionContextSchema } from "../gen/sessionactivity/v1/session_activity_pb.js";
export {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../gen/sessionactivity/v1/session_activity_run_pb.js";
export type { Logger } from "./base/log.js";
export type { OptionError, OptionErrorCode } from "./base/option-error.js";
export type { ContextProblem, UnverifiedReason } from "./contract/context-problem.js";
export { sessionHeaders, stripSessionHeaders } from "./contract/headers.js";
export {
  decodeSessionContext,
  encodeSessionContext,
  type SessionContextOptions,
  sessionContextKey,
  sessionContextVerifiedKey,
} from "./contract/session-context.js";
export type { SessionSigner, SessionVerifier, SignatureProblem, SignedMark } from "./contract/signed-mark.js";
export { type ActivityStatus, type StatusName, statusName } from "./contract/status.js";
export {
  createSessionGatewayInterceptor,
  type SessionGatewayInterceptor,
  type SessionGatewayStats,
  type UnmarkedReason,
} from "./gateway/gateway.js";
export type { SessionGatewayOptions } from "./gateway/gateway-options.js";
export {
  createSessionGuardInterceptor,
  type SessionGuardInterceptor,
  type SessionGuardStats,
} from "./gateway/guard.js";
export type { NodeRequest } from "./outcome/exchange.js";
export { createEventRecord, type EventRecord } from "./publishing/event-record.js";
export { createMemoryPublisher, type MemoryPublisher } from "./publishing/memory-publisher.js";
export type {
  DropReason,
  LossReason,
  Publisher,
  PublisherProblem,
  PublisherStats,
  Settled,
} from "./publishing/publisher.js";
export type { RunState, RunStats } from "./publishing/run-record.js";
export type { AdapterOptions, AnyAdapterOptions } from "./service/adapter-options.js";
export { annotateSessionActivity } from "./service/annotation.js";
export {
  createSessionActivityInterceptor,
  type InterceptorStats,
  type SessionActivityInterceptor,
} from "./service/interceptor.js";
export type { SessionActivityInterceptorOptions } from "./service/interceptor-options.js";
export { createSessionRelay, type SessionRelay, type SessionRelayOptions } from "./service/relay.js";
export type { SkipReason } from "./service/skipped-calls.js";
export type { Readiness, ReadinessProblem, SessionTracking, SessionTrackingStats } from "./service/tracking.js";
export type { AwaitedPart, InterceptorProblem } from "./service/waits.js";
export type { WatchableServer } from "./service/watched-server.js";
