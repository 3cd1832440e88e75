// Fake timers, which hold still while a call is recorded.
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { createFakeGateway, createTestTracking } from "connect-session-activity/testing";
import { AccountService } from "example-account";

test("a call is recorded while timers are fake, at the faked date", async () => {
  const isVitest = process.env["VITEST"] !== undefined;
  const timers = isVitest ? (await import("vitest")).vi : (await import("@jest/globals")).jest;
  const tracking = createTestTracking();
  const routes = (router) => router.service(AccountService, { changePassword: () => ({}) });
  const transport = createRouterTransport(routes, {
    router: { interceptors: [tracking.interceptor] },
    transport: { interceptors: [createFakeGateway()] },
  });
  timers.useFakeTimers({ now: Date.UTC(2031, 0, 2) });
  try {
    await createClient(AccountService, transport).changePassword({});
    const [event] = await tracking.publisher.waitFor(1);
    expect(Number(event.startedAt.seconds) * 1_000).toBe(Date.UTC(2031, 0, 2));
    await expect(tracking.publisher.waitFor(2, { timeoutMs: 1 })).rejects.toThrow("waited 1 ms");
  } finally {
    timers.useRealTimers();
  }
});
