import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { createTroubleLog } from "../../../src/base/log.js";
import { connectWithoutBroker } from "../../../src/kafka/client/connect.js";
import type { NativePart } from "../../../src/kafka/client/kafka-client.js";
import { loadKafkaClient } from "../../../src/kafka/client/kafka-client.js";
import { readToken } from "../../../src/kafka/client/oauth-token.js";
import { createTokenKeeper } from "../../../src/kafka/client/token-keeper.js";
import { createKafkaPublisher, createSessionActivityConsumer, type OAuthToken } from "../../../src/kafka/index.js";
import { publisherSettings } from "../../../src/kafka/publisher/publisher-options.js";
import { refusalOf } from "../../support/refusal.js";
import { recordingLogger, recordOf } from "../kafka-fixtures.js";

// What brokers say to tokens is seen in test/kafka-real/oauth-token.test.ts.
const brokers = "127.0.0.1:1";
const secret = "eyJhbGciOiJub25lIn0.c2VjcmV0.";
const oauthToken = (): Promise<OAuthToken> =>
  Promise.resolve({ value: secret, lifetimeMs: Date.now() + 60_000, principal: "writer" });

describe("the option", () => {
  const withProperties = (properties: Record<string, string>, provider: typeof oauthToken | undefined = oauthToken) =>
    publisherSettings({ brokers, oauthToken: provider, properties }).properties;

  test.each([
    [{}, "sasl_ssl"],
    [{ "security.protocol": "ssl" }, "sasl_ssl"],
    [{ "security.protocol": "SASL_SSL", "sasl.mechanism": "OAUTHBEARER" }, "sasl_ssl"],
    [{ "security.protocol": "SASL_PLAINTEXT" }, "sasl_plaintext"],
  ])("with %j logs in with tokens over %s", (properties, protocol) => {
    expect(withProperties(properties)).toMatchObject({
      "security.protocol": protocol,
      "sasl.mechanisms": "OAUTHBEARER",
    });
  });

  test("without it, nothing is added", () => {
    expect(publisherSettings({ brokers, properties: { "linger.ms": 1 } }).properties).toEqual({ "linger.ms": 1 });
  });

  test.each([
    [{ "sasl.mechanism": "PLAIN" }, 'oauthToken needs the sasl.mechanism OAUTHBEARER, got "PLAIN"'],
    [
      { "security.protocol": "plaintext" },
      "oauthToken needs the security.protocol sasl_ssl or sasl_plaintext, got plaintext",
    ],
  ])("contradicts %j", (properties, problem) => {
    const consumer = { brokers, groupId: "g", handle() {}, onInvalid() {}, oauthToken, properties };
    for (const create of [() => withProperties(properties), () => createSessionActivityConsumer(consumer)]) {
      const refusal = refusalOf(create);
      expect(refusal.message).toContain(problem);
      expect(refusal).toMatchObject({ code: "ERR_OPTION_CONFLICT", option: "oauthToken" });
    }
  });

  test("is a function", () => {
    const wrong: unknown = secret;
    expect(refusalOf(() => publisherSettings({ brokers, oauthToken: wrong as typeof oauthToken }))).toMatchObject({
      message: `oauthToken must be a function that resolves to a token, got a text of ${secret.length} characters`,
      code: "ERR_OPTION_INVALID",
      option: "oauthToken",
    });
  });

  test("is missed where nothing else gives a token, instead of waiting for ever", () => {
    const mechanism = { "sasl.mechanism": "OAUTHBEARER", "security.protocol": "sasl_ssl" };
    const without = (properties: Record<string, string>) => publisherSettings({ brokers, properties });
    expect(refusalOf(() => without(mechanism))).toMatchObject({
      message: "oauthToken must be given, a function that resolves to a token, since sasl.mechanism is OAUTHBEARER",
      code: "ERR_OPTION_MISSING",
      option: "oauthToken",
    });
    expect(without({ ...mechanism, "sasl.oauthbearer.method": "oidc" }).oauthToken).toBeUndefined();
    expect(without({ ...mechanism, "enable.sasl.oauthbearer.unsecure.jwt": "true" }).oauthToken).toBeUndefined();
  });
});

describe("a provider's answer", () => {
  const now = Date.now();
  const good = { value: secret, lifetimeMs: now + 60_000, principal: "" };

  test.each([good, { ...good, extensions: { logicalCluster: "lkc-1" } }])("is a token: %j", (answer) => {
    expect(readToken(answer)).toMatchObject(answer);
  });

  test.each([
    [undefined, "no object"],
    [secret, "no object"],
    [{ ...good, value: "" }, "value is not a string of visible ASCII characters"],
    [{ ...good, value: `${secret}\u0001host=evil` }, "value is not a string of visible ASCII characters"],
    [{ ...good, value: undefined }, "value is not a string of visible ASCII characters"],
    [{ ...good, lifetimeMs: 900_000 }, "lifetimeMs is not a moment in the future, in milliseconds since 1970"],
    [
      { ...good, lifetimeMs: now / 1_000 + 900 },
      "lifetimeMs is not a moment in the future, in milliseconds since 1970",
    ],
    [{ ...good, lifetimeMs: now - 1 }, "lifetimeMs is not a moment in the future, in milliseconds since 1970"],
    [{ ...good, lifetimeMs: Number.NaN }, "lifetimeMs is not a moment in the future, in milliseconds since 1970"],
    [{ ...good, lifetimeMs: Infinity }, "lifetimeMs is not a moment in the future, in milliseconds since 1970"],
    [
      { ...good, lifetimeMs: `${now + 60_000}` },
      "lifetimeMs is not a moment in the future, in milliseconds since 1970",
    ],
    [{ ...good, principal: undefined }, "principal is not a string"],
    [{ ...good, extensions: "a=b" }, "extensions is not an object of strings whose names are letters"],
    [{ ...good, extensions: { auth: "b" } }, "extensions is not an object of strings whose names are letters"],
    [{ ...good, extensions: { "a-b": "b" } }, "extensions is not an object of strings whose names are letters"],
    [{ ...good, extensions: { a: `${secret}\n` } }, "extensions is not an object of strings whose names are letters"],
  ])("is none: %j", (answer, problem) => {
    expect(readToken(answer)).toBe(problem);
  });

  test("is taken by librdkafka whenever we take it", async () => {
    const settings = publisherSettings({ brokers, oauthToken, properties: { log_level: 0 } });
    const client = loadKafkaClient().createProducer({ ...settings.properties, "bootstrap.servers": brokers });
    expect(await connectWithoutBroker(client)).toBeUndefined();
    const use = (value: string, extensions: string[]) =>
      client.getClient().setOAuthBearerToken(value, Date.now() + 60_000, "", extensions);
    const visible = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 }, (_, index) => 0x21 + index));
    expect(typeof readToken({ ...good, value: visible, extensions: { a: ` ${visible}`, Z: "" } })).toBe("object");
    use(visible, ["a", ` ${visible}`, "Z", ""]);
    // And what it refuses, it quotes: that is why its errors are not told.
    expect(() => use(`${secret}\u00e4`, [])).toThrow(secret);
    await new Promise<void>((resolve) => {
      client.disconnect(0, () => resolve());
    });
  });
});

describe("a keeper", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"], now: 1_800_000_000_000 });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** A keeper whose client only notes what it is given. */
  function keep(answers: (asked: number) => unknown) {
    const log = recordingLogger();
    const asked: number[] = [];
    const used: string[] = [];
    const begun = performance.now();
    const part: NativePart = { setOAuthBearerToken: (value) => void used.push(value) };
    const client = Object.assign(loadKafkaClient().createProducer({ "bootstrap.servers": brokers }), {
      getClient: () => part,
    });
    const provider = (): Promise<OAuthToken> => {
      asked.push(performance.now() - begun);
      return answers(asked.length) as Promise<OAuthToken>;
    };
    const keeper = createTokenKeeper(client, provider, createTroubleLog(log));
    keeper.start();
    return { keeper, log, asked, used, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
  }
  const living = (ms: number, value = secret) => ({ value, lifetimeMs: Date.now() + ms, principal: "" });

  test("asks again when 80 % of a token's life are over, and gives the client each", async () => {
    const { asked, used, pass } = keep((number) => living(10_000, `token-${number}`));
    await pass(25_000);
    expect(asked).toEqual([0, 8_000, 16_000, 24_000]);
    expect(used).toEqual(["token-1", "token-2", "token-3", "token-4"]);
  });

  test("takes a token that lives for ever, and one of a moment, without asking all the time", async () => {
    const forever = keep(() => ({ ...living(0), lifetimeMs: Number.MAX_SAFE_INTEGER }));
    await forever.pass(24 * 3_600_000);
    expect(forever.asked).toEqual([0]);
    forever.keeper.stop();
    const moment = keep(() => living(10));
    await moment.pass(5_100);
    expect(moment.asked.length).toBe(11);
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error(`no token ${secret}`);
      },
      { problem: "it failed", error: "Error" },
    ],
    ["rejects", () => Promise.reject(new RangeError(secret)), { problem: "it failed", error: "RangeError" }],
    ["rejects with a string", () => Promise.reject(secret), { problem: "it failed", error: "string" }],
    ["gives garbage", () => secret, { problem: "its answer is not a token: no object" }],
    [
      "gives what throws when read",
      () => ({
        get value() {
          throw new Error(secret);
        },
      }),
      { problem: "it failed" },
    ],
  ])(
    "one whose provider %s is told once a minute, without the token, and asks with back-off",
    async (_, answer, told) => {
      const { asked, used, log, pass } = keep((number) => (number < 9 ? answer() : living(600_000)));
      await pass(200_000);
      expect(asked).toEqual([0, 1, 3, 7, 15, 31, 61, 91, 121].map((seconds) => seconds * 1_000));
      expect(used).toEqual([secret]);
      expect(log.lines).toHaveLength(2);
      expect(log.lines).toMatchObject([
        { level: "error", details: { ...told, failures: 1, nextAttemptMs: 1_000 } },
        { level: "error", details: { ...told, failures: 7, nextAttemptMs: 30_000, suppressed: 5 } },
      ]);
      expect(JSON.stringify(log.lines)).not.toContain(secret);
    },
  );

  test("one whose provider hangs asks again after 30 s, and does not use an answer that comes too late", async () => {
    let late: (token: object) => void = () => {};
    const { asked, used, log, pass } = keep((number) =>
      number === 1
        ? new Promise<object>((resolve) => {
            late = resolve;
          })
        : living(600_000, "second"),
    );
    await pass(32_000);
    late(living(1_000, "first"));
    await pass(60_000);
    expect(asked).toEqual([0, 31_000]);
    expect(used).toEqual(["second"]);
    expect(log.lines).toMatchObject([{ details: { problem: "it did not answer in 30000 ms" } }]);
  });

  test("a refused token is replaced: at once where it is older than 10 s, and never more often than that", async () => {
    const { keeper, asked, pass } = keep(() => living(3_600_000));
    await pass(60_000);
    keeper.loginRefused();
    keeper.loginRefused();
    await pass(0);
    expect(asked).toEqual([0, 60_000]);
    for (let second = 0; second < 20; second += 1) {
      keeper.loginRefused();
      await pass(1_000);
    }
    expect(asked).toEqual([0, 60_000, 70_000, 80_000]);
  });

  test("a refusal never puts off what is due", async () => {
    const { keeper, asked, pass } = keep(() => living(5_000));
    await pass(3_000);
    keeper.loginRefused();
    await pass(1_500);
    expect(asked).toEqual([0, 4_000]);
  });

  test("a stopped one asks no more, and uses no answer that is under way", async () => {
    let answer: (token: object) => void = () => {};
    const { keeper, asked, used, pass } = keep(
      () =>
        new Promise<object>((resolve) => {
          answer = resolve;
        }),
    );
    keeper.stop();
    // No timer keeps the process from ending.
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(0));
    answer(living(1_000));
    await pass(60_000);
    keeper.loginRefused();
    await pass(60_000);
    expect(asked).toEqual([0]);
    expect(used).toEqual([]);
  });
});

test("without a token events queue, close() is in time, and the provider is asked no more", async () => {
  const log = recordingLogger();
  let asked = 0;
  const provider = (): Promise<OAuthToken> => {
    asked += 1;
    return Promise.reject(new Error(secret));
  };
  const publisher = createKafkaPublisher({ brokers, oauthToken: provider, log, closeTimeoutMs: 100 });
  publisher.publish(recordOf(1));
  await vi.waitFor(() => expect(log.lines).toHaveLength(1), { timeout: 10_000 });
  expect(publisher.stats()).toEqual({ offered: 1, delivered: 0, dropped: {}, queued: 1 });
  expect(await publisher.close()).toEqual({ offered: 1, delivered: 0, dropped: { close_timeout: 1 }, queued: 0 });
  const atEnd = asked;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(asked).toBe(atEnd);
  expect(JSON.stringify(log.lines)).not.toContain(secret);
});
