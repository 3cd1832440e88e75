export type { SessionActivityEvent, SessionContext } from "../gen/sessionactivity/v1/session_activity_pb.js";
export { SessionActivityEventSchema, SessionContextSchema } from "../gen/sessionactivity/v1/session_activity_pb.js";
export { annotateSessionActivity } from "./annotation.js";
export { decodeSessionContext, encodeSessionContext, sessionContextKey } from "./context.js";
export type { NodeRequest } from "./exchange.js";
export {
  createSessionGatewayInterceptor,
  type SessionGatewayInterceptor,
  type SessionGatewayOptions,
  type SessionGatewayStats,
  type UnmarkedReason,
} from "./gateway.js";
export {
  createSessionGuardInterceptor,
  type SessionGuardInterceptor,
  type SessionGuardStats,
} from "./guard.js";
export { sessionHeaders, stripSessionHeaders } from "./headers.js";
export {
  createSessionActivityInterceptor,
  type InterceptorStats,
  type SessionActivityInterceptor,
  type SessionActivityInterceptorOptions,
  type SkipReason,
} from "./interceptor.js";
export {
  createMemoryPublisher,
  type DropReason,
  type MemoryPublisher,
  type Publisher,
  type PublisherStats,
} from "./publisher.js";
export { createSessionRelay, type SessionRelay, type SessionRelayOptions } from "./relay.js";
export { statusName } from "./status.js";
export type { Logger, SessionSigner, SessionVerifier, SignatureProblem, SignedMark } from "./tracking.js";
export type { UnverifiedReason } from "./verification.js";
