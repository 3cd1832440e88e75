import { afterEach, describe, expect, it, vi } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { until } from "../support/until.js";
import { jws, signed, start, verifier } from "./verifying-service.js";

const { changePassword } = AccountService.method;

afterEach(() => {
  vi.restoreAllMocks();
});

describe("recordContext", () => {
  it("replaces a context that is kept as evidence, too, and leaves its signature", async () => {
    const { client, events } = await start({ verify: verifier("signature_invalid"), recordContext: () => "pseudonym" });
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ encodedSessionContext: "pseudonym", markSignature: jws, contextVerified: false });
  });

  it("replaces the context in the event, and nowhere else", async () => {
    const verify = verifier(undefined);
    const { client, events, seen } = await start({
      verify,
      recordContext: (context) => `pseudonym of ${context.length}`,
    });
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({
      encodedSessionContext: "pseudonym of 10",
      contextVerified: true,
      markSignature: jws,
    });
    expect(verify.verify).toHaveBeenCalledWith(expect.objectContaining({ context: "c2Vzc2lvbg" }), jws);
    expect(seen).toEqual([["c2Vzc2lvbg", "c2Vzc2lvbg"]]);
  });

  const failing: [string, (context: string) => string][] = [
    ["throws", (context) => JSON.parse(context)],
    ["gives no string", () => JSON.parse("7")],
    ["gives too much", (context) => context.repeat(1_000)],
    ["gives too many bytes", () => "é".repeat(5_000)],
    ["is async and rejects", () => Promise.reject(new Error("c2Vzc2lvbg")) as unknown as string],
  ];
  it.each(failing)("records nothing, and never the original, where it %s", async (_, recordContext) => {
    const { client, events, interceptor, warn } = await start({ recordContext });
    await client.changePassword({}, { headers: signed });
    await client.changePassword({}, { headers: signed });
    await until(() => events.length === 2);
    expect(events.map(({ encodedSessionContext }) => encodedSessionContext)).toEqual(["", ""]);
    expect(interceptor.stats().unrecordedContexts).toBe(2);
    expect(warn).toHaveBeenCalledTimes(1);
    expect(JSON.stringify(warn.mock.calls)).not.toContain("c2Vzc2lvbg");
  });

  it("is not asked about a context that the event leaves out", async () => {
    const recordContext = vi.fn((context: string) => context);
    const { client, events, interceptor } = await start({
      recordContext,
      maxContextBytes: 5,
      required: [changePassword],
    });
    await client.changePassword({}, { headers: signed });
    await client.changePassword({});
    await until(() => events.length === 2);
    expect(recordContext).not.toHaveBeenCalled();
    expect(interceptor.stats().unrecordedContexts).toBe(0);
  });
});
