import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import type { SessionContextSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createTroubleLog } from "../base/log.js";
import { inTime, tookTooLong } from "../base/timing.js";
import { isContext, isSignature, sessionHeaders, stripSessionHeaders } from "../contract/headers.js";
import { encodeSessionContext } from "../contract/session-context.js";
import type { SessionSigner, SignedMark } from "../contract/signed-mark.js";
import { gatewaySettings, type SessionGatewayOptions } from "./gateway-options.js";
import type { GatewayTrouble } from "./gateway-troubles.js";
import { createMarkedMethods } from "./marked-methods.js";

/**
 * Why a call of a chosen method was sent without a mark: there is no session, `session` threw, what it gave is no context
 * that a header can carry, or is too large.
 */
export type UnmarkedReason = "no_session" | "session_error" | "context_invalid" | "context_too_large";

/** Counts of a gateway interceptor since its creation. */
export interface SessionGatewayStats {
  /** Calls sent with a mark. */
  readonly marked: number;
  /** Those among them that should have been signed, and could not be. */
  readonly unsigned: number;
  /** Those among the unsigned whose signer did not answer within 5 s. */
  readonly stalled: number;
  /** Calls of chosen methods that were sent without a mark, by reason. */
  readonly unmarked: Readonly<Partial<Record<UnmarkedReason, number>>>;
}

/** The interceptor, with its counts. */
export type SessionGatewayInterceptor = Interceptor & {
  /** The counts at this moment. */
  stats(): SessionGatewayStats;
};

/**
 * Creates the client interceptor of a gateway: it marks the calls of the methods that the schema declares as activities, and
 * of those in `operations`, so that the service records them.
 *
 * It first deletes the four session headers of every call, so that a gateway that forwards its callers' headers cannot
 * forward a forged mark. Put it last, that nothing after it sets them again.
 *
 * Throws a TypeError if an option is wrong. On calls it never throws: a call whose mark cannot be made is sent without
 * one, counted and logged.
 *
 * @example
 * const marking = createSessionGatewayInterceptor({ session: ({ contextValues }) => contextValues.get(sessionKey) });
 */
export function createSessionGatewayInterceptor(options: SessionGatewayOptions): SessionGatewayInterceptor {
  const { session, sign, operations, maxContextBytes, log: logger } = gatewaySettings(options);
  const log = createTroubleLog<GatewayTrouble>(logger);
  const methods = createMarkedMethods(operations, log);
  const counts = { marked: 0, unsigned: 0, stalled: 0 };
  const unmarked: Partial<Record<UnmarkedReason, number>> = {};

  const interceptor: Interceptor = (next) => (call) => {
    stripSessionHeaders(call.header);
    const method = methods.find(call.method);
    const context = method === undefined ? undefined : contextOf(call, method.procedure);
    if (method === undefined || context === undefined) return next(call);
    const { procedure, operation } = method;
    counts.marked += 1;
    call.header.set(sessionHeaders.track, "true");
    call.header.set(sessionHeaders.context, context);
    if (operation !== undefined) call.header.set(sessionHeaders.operation, operation);
    if (sign === undefined) return next(call);
    return sendSigned(sign, { context, operation, procedure });

    async function sendSigned(signer: SessionSigner, mark: SignedMark): ReturnType<typeof next> {
      await addSignature(signer, call.header, mark);
      return next(call);
    }
  };

  /** The errors stay here: nobody knows what they quote. */
  function contextOf(call: UnaryRequest | StreamRequest, procedure: string): string | undefined {
    let given: ReturnType<typeof session>;
    try {
      given = session(call);
    } catch {
      return leaveUnmarked("session_error", procedure);
    }
    if (given === undefined) return leaveUnmarked("no_session", procedure);
    // It is async in spite of its type: its rejection must not end the process.
    if (given instanceof Promise) given.catch(() => {});
    const result = typeof given === "string" ? checkContext(given, maxContextBytes) : encode(given, maxContextBytes);
    return result.kind === "context" ? result.context : leaveUnmarked(result.reason, procedure);
  }

  function leaveUnmarked(reason: UnmarkedReason, procedure: string): undefined {
    unmarked[reason] = (unmarked[reason] ?? 0) + 1;
    if (reason !== "no_session") log.warn(reason, { procedure, reason }, "a call is sent without its session mark");
  }

  async function addSignature(signer: SessionSigner, header: Headers, mark: SignedMark): Promise<void> {
    const { procedure } = mark;
    const signed = await signOrNot(signer, mark);
    if (signed.kind === "signed") {
      header.set(sessionHeaders.signature, signed.signature);
      return;
    }
    counts.unsigned += 1;
    if (signed.kind === "failed") {
      log.warn("unsigned", { procedure }, "a mark could not be signed: it is sent without a signature");
      return;
    }
    counts.stalled += 1;
    const message = "the signer did not answer within 5 s: the mark is sent without a signature";
    log.warn("signer_stalled", { procedure }, message);
  }

  return Object.assign(interceptor, {
    stats: (): SessionGatewayStats => ({ ...counts, unmarked: { ...unmarked } }),
  });
}

type Signing = { readonly kind: "signed"; readonly signature: string } | { readonly kind: "failed" | "stalled" };

async function signOrNot(signer: SessionSigner, mark: SignedMark): Promise<Signing> {
  try {
    const signature: unknown = await inTime(signer.sign(mark));
    const isUsable = typeof signature === "string" && isSignature(signature);
    return isUsable ? { kind: "signed", signature } : { kind: "failed" };
  } catch (error) {
    return { kind: error === tookTooLong ? "stalled" : "failed" };
  }
}

/** What the header can carry, or why it cannot. */
type ContextResult =
  | { readonly kind: "context"; readonly context: string }
  | { readonly kind: "unusable"; readonly reason: UnmarkedReason };

const tooLarge: ContextResult = { kind: "unusable", reason: "context_too_large" };
const invalid: ContextResult = { kind: "unusable", reason: "context_invalid" };

/** Checks a context in the gateway's own encoding. */
function checkContext(context: string, maxBytes: number): ContextResult {
  if (context.length > maxBytes) return tooLarge;
  return isContext(context) ? { kind: "context", context } : invalid;
}

function encode(context: MessageInitShape<typeof SessionContextSchema>, maxBytes: number): ContextResult {
  try {
    return { kind: "context", context: encodeSessionContext(context, { maxBytes }) };
  } catch (error) {
    return error instanceof RangeError ? tooLarge : invalid;
  }
}
