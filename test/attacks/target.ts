import { generateKeyPairSync, type JsonWebKey, type KeyPairKeyObjectResult } from "node:crypto";
import type { HandlerContext, Interceptor } from "@connectrpc/connect";
import { onTestFinished } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  createMemoryPublisher,
  createSessionActivityInterceptor,
  createSessionGuardInterceptor,
  type Publisher,
  type SessionActivityEvent,
  type SessionActivityInterceptor,
  type SessionActivityInterceptorOptions,
  type SessionSigner,
  sessionHeaders,
} from "../../src/index.js";
import {
  createSessionKeySet,
  createSessionSigner,
  createSessionVerifier,
  type SessionKeySet,
} from "../../src/signature/index.js";
import { startAccountServer } from "../support/account-server.js";
import { openRawHttp1, type RawConnection } from "./raw-http1.js";
import { openRawHttp2 } from "./raw-http2.js";

export const procedures = {
  login: "/example.account.v1.AccountService/Login",
  changePassword: "/example.account.v1.AccountService/ChangePassword",
} as const;

export const audience = "account-service";
export const gatewayKey: KeyPairKeyObjectResult = generateKeyPairSync("ed25519");
export const publicJwk: JsonWebKey = { ...gatewayKey.publicKey.export({ format: "jwk" }), kid: "gateway" };
export const keys: SessionKeySet = createSessionKeySet({ keys: [publicJwk] });
export const signer: SessionSigner = createSessionSigner({ key: gatewayKey.privateKey, keyId: "gateway", audience });

/** What a service does against strangers. */
export interface Defence {
  readonly options: Partial<SessionActivityInterceptorOptions>;
  readonly before: readonly Interceptor[];
}

export const defences: Record<"none" | "guard" | "required" | "verify", () => Defence> = {
  /** Nothing: it believes its headers. */
  none: () => ({ options: {}, before: [] }),
  /** It drops session headers at the edge. */
  guard: () => ({ options: {}, before: [createSessionGuardInterceptor()] }),
  /** It knows methods that must be tracked. */
  required: () => ({ options: { required: [AccountService.method.changePassword] }, before: [] }),
  /** It verifies signatures. */
  verify: () => ({ options: { verify: createSessionVerifier({ keys, audience, unmarked: "drop" }) }, before: [] }),
};

/** A service under attack. */
export interface Target {
  readonly port: number;
  readonly baseUrl: string;
  readonly events: readonly SessionActivityEvent[];
  readonly interceptor: SessionActivityInterceptor;
  /** The contexts that the handler saw. */
  readonly seen: (string | null)[];
  raw(httpVersion: "1.1" | "2"): RawConnection;
  /** Events whose context a reader has to believe, and that do not come from the gateway. */
  fooled(): readonly SessionActivityEvent[];
}

interface TargetOptions {
  readonly httpVersion?: "1.1" | "2";
  readonly publisher?: Publisher;
  readonly more?: Partial<SessionActivityInterceptorOptions>;
}

/** Starts a service with a defence. */
export async function startTarget(
  defence: Defence,
  { httpVersion = "1.1", publisher, more = {} }: TargetOptions = {},
): Promise<Target> {
  const memory = createMemoryPublisher();
  const interceptor = createSessionActivityInterceptor({
    service: "account-service",
    publisher: publisher ?? memory,
    log: false,
    ...defence.options,
    ...more,
  });
  const seen: (string | null)[] = [];
  const note = (_: unknown, { requestHeader }: HandlerContext): object => {
    seen.push(requestHeader.get(sessionHeaders.context));
    return {};
  };
  const adapter = { interceptors: [...defence.before, interceptor], contextValues: interceptor.contextValues };
  const server = await startAccountServer({ login: note, changePassword: note }, adapter, httpVersion);
  const verifies = defence.options.verify !== undefined;
  return {
    ...server,
    events: memory.events,
    interceptor,
    seen,
    raw(version) {
      const connection = version === "2" ? openRawHttp2(server.port) : openRawHttp1(server.port);
      onTestFinished(() => connection.close());
      return connection;
    },
    fooled: () =>
      memory.events.filter(
        ({ contextVerified, contextProblem, encodedSessionContext }) =>
          encodedSessionContext !== "genuine" && (verifies ? contextVerified : contextProblem === ""),
      ),
  };
}

/** What the gateway sends for a call. */
export async function genuineMark(
  procedure: string = procedures.changePassword,
  context = "genuine",
  operation = "change_password",
): Promise<Record<string, string>> {
  return {
    [sessionHeaders.track]: "true",
    [sessionHeaders.context]: context,
    [sessionHeaders.operation]: operation,
    [sessionHeaders.signature]: await signer.sign({ context, operation, procedure }),
  };
}
