import type { Client, HandlerContext } from "@connectrpc/connect";
import { type Mock, vi } from "vitest";
import type { AccountService } from "../../gen/example/account/v1/account_pb.js";
import {
  annotateSessionActivity,
  createMemoryPublisher,
  createSessionActivityInterceptor,
  type Logger,
  type MemoryPublisher,
  type SessionActivityInterceptor,
  type SessionActivityInterceptorOptions,
  type SessionVerifier,
  type SignatureProblem,
  sessionContextKey,
  sessionHeaders,
} from "../../src/index.js";
import { accountClient, marks, startAccountServer } from "../support/account-server.js";
import type { RunningServer } from "../support/listen.js";

export const procedure = "/example.account.v1.AccountService/ChangePassword";
export const jws = "e30.e30.c2ln";
export const signed: Record<string, string> = { ...marks("c2Vzc2lvbg", "change_password"), "x-session-signature": jws };

/** A verifier that always answers the same. */
export function verifier(answer: SignatureProblem | undefined, unmarked: "keep" | "drop" = "keep"): SessionVerifier {
  return { unmarked, verify: vi.fn<SessionVerifier["verify"]>().mockResolvedValue(answer) };
}

interface Started {
  readonly interceptor: SessionActivityInterceptor;
  readonly events: MemoryPublisher["events"];
  readonly warn: Mock<Logger["warn"]>;
  /** What the handler of each call saw of the session: the header, and the context value. */
  readonly seen: unknown[];
  readonly server: RunningServer;
  readonly client: Client<typeof AccountService>;
}

/** Starts a service, and notes what its handler sees of the session. */
export async function start(options: Partial<SessionActivityInterceptorOptions>): Promise<Started> {
  const publisher = createMemoryPublisher();
  const warn = vi.fn<Logger["warn"]>();
  const log = { debug() {}, info() {}, warn, error() {} };
  const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher, log, ...options });
  const seen: unknown[] = [];
  const note = ({ requestHeader, values }: HandlerContext): object => {
    annotateSessionActivity(values, { seen: "yes" });
    seen.push([requestHeader.get(sessionHeaders.context), values.get(sessionContextKey)]);
    return {};
  };
  const server = await startAccountServer(
    {
      changePassword: (_, context) => note(context),
      async *watchSessions(_, context) {
        yield note(context);
      },
    },
    { interceptors: [interceptor] },
  );
  return { interceptor, events: publisher.events, warn, seen, server, client: accountClient(server) };
}
