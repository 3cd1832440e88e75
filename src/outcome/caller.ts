import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { toBinary, toJson } from "@bufbuild/protobuf";
import { Code, type Interceptor } from "@connectrpc/connect";
import { isGrpcType } from "../contract/headers.js";
import { codeOk, wireCode } from "../contract/status.js";

/** The rest of the chain, as Connect hands it to an interceptor. */
export type Next = Parameters<Interceptor>[0];
/** A call, as Connect hands it to an interceptor. */
export type Call = Parameters<Next>[0];
/** What the rest of the chain resolves to. */
export type Answer = Awaited<ReturnType<Next>>;

/** Learns what the caller of one call received. */
export interface CallerWatch {
  start(): void;
  stop(): void;
  /** An answer with this code is on its way to the caller. Only the first one counts. */
  answered(code: number): void;
  /** The answer of a unary handler is on its way, if it can be serialized. */
  answeredUnary(response: Answer): void;
  /** Connect could not write to the caller. */
  writeFailed(error: unknown): void;
  /** Connect closes the response stream before its end. */
  closing(): void;
  /** Looks for an end of the caller that no event told. */
  lookAgain(): void;
}

/**
 * What a caller watch finds out. The first call counts. Moments are on the clock of `performance.now()`. `inferred` says that the
 * evidence fits another code, too.
 */
export interface CallerEvents {
  /** The caller received the answer with this code. */
  callerReceived(code: number, at: number, inferred: boolean): void;
  /** The caller left before that, and saw this code. */
  callerLeft(code: Code, at: number, inferred: boolean): void;
}

function contentTypeOf(call: Call): string {
  return call.header.get("content-type") ?? "";
}

/** gRPC or gRPC-Web: their trailer holds the code that was sent. */
export function isGrpc(call: Call): boolean {
  return isGrpcType(contentTypeOf(call));
}

/**
 * The code in the response trailer, which gRPC and gRPC-Web use. 0 is OK, or that there is none.
 *
 * An inner interceptor may have answered without a trailer, against its type: Connect then fails with INTERNAL.
 */
export function trailerCode(response: Answer): number {
  const trailer: Headers | undefined = response.trailer;
  return trailer === undefined ? Code.Internal : Number(trailer.get("grpc-status") ?? codeOk);
}

/** Whether Connect can have encoded this message, found by doing it again. */
export function isEncodable(
  call: Call,
  message: MessageShape<DescMessage>,
  encode: typeof toBinary | typeof toJson = toBinary,
): boolean {
  try {
    if (encode === toJson) toJson(call.method.output, message);
    else toBinary(call.method.output, message);
    return true;
  } catch {
    return false;
  }
}

/** Why Connect could not send this message: it cannot be encoded, or was over the size limit. */
export function codeOfUnsendable(call: Call, message: MessageShape<DescMessage> | undefined): Code {
  const encode = contentTypeOf(call).includes("json") ? toJson : toBinary;
  return message === undefined || isEncodable(call, message, encode) ? Code.ResourceExhausted : Code.Internal;
}

const unimplemented: number = Code.Unimplemented;

/** What the caller receives when this is thrown. Connect takes a thrown undefined for a normal end, mostly. */
export function codeOfThrown(call: Call, thrown: unknown): number {
  if (thrown !== undefined) return wireCode(thrown);
  const { methodKind } = call.method;
  if (methodKind === "server_streaming" || methodKind === "bidi_streaming") return codeOk;
  // The end comes without the one response that the caller expects, which gRPC's table of codes calls UNIMPLEMENTED.
  return methodKind === "unary" && !isGrpc(call) ? Code.Internal : Code.Unimplemented;
}

/**
 * Whether a caller that has ended its side of the exchange may cancel it although the answer is written.
 *
 * The handlers that see the end of the requests, answer because of it, and whose caller ended them in order to cancel. With
 * one request, Connect itself answers so that there was none.
 * Not a caller who reads an error inside the body and resets the stream before the last frame: the Connect protocol and
 * gRPC-Web put it there.
 */
export function mayBeCancelled(call: Call, code: number): boolean {
  const { methodKind } = call.method;
  if (methodKind === "unary") return false;
  const isPlainGrpc = /^application\/grpc(?!-web)/.test(contentTypeOf(call));
  return methodKind === "server_streaming" ? isPlainGrpc && code === unimplemented : code === codeOk || isPlainGrpc;
}
