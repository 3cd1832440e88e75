import { createHmac, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify, SignJWT } from "jose";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type SessionVerifier, type SignedMark, sessionHeaders } from "../../src/index.js";
import {
  createSessionKeySet,
  createSessionSigner,
  createSessionVerifier,
  verifySessionActivity,
} from "../../src/signature/index.js";
import { listen } from "../support/listen.js";
import { until } from "../support/until.js";
import { audience, defences, gatewayKey, genuineMark, keys, procedures, signer, startTarget } from "./target.js";

const { track, context, operation, signature } = sessionHeaders;
const stranger = generateKeyPairSync("ed25519");
const forged = { context: "forged", operation: "change_password", procedure: procedures.changePassword };

function signBy(key: KeyObject, keyId: string, mark: SignedMark = forged, forAudience = audience): Promise<string> {
  return createSessionSigner({ key, keyId, audience: forAudience }).sign(mark);
}

async function marked(
  jws: Promise<string> | string,
  changes: Record<string, string> = {},
): Promise<Record<string, string>> {
  const { context: value, operation: label } = forged;
  return { [track]: "true", [context]: value, [operation]: label, [signature]: await jws, ...changes };
}

/** A JWS of our type with this header and the claims of a genuine one over the forged mark. */
async function handmade(header: object, sign: (input: string) => string): Promise<string> {
  const [, payload] = (await signer.sign(forged)).split(".");
  const input = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.${payload}`;
  return `${input}.${sign(input)}`;
}

/** What a careless service does: it lets the token say how it is to be verified. */
const careless: SessionVerifier = {
  unmarked: "keep",
  async verify(_, jws) {
    const [header = "", payload = "", tail = ""] = jws.split(".");
    const { alg } = JSON.parse(Buffer.from(header, "base64url").toString());
    if (alg === "none") return undefined;
    const secret = gatewayKey.publicKey.export({ format: "pem", type: "spki" });
    if (alg === "HS256") {
      const mac = createHmac("sha256", secret).update(`${header}.${payload}`).digest("base64url");
      return mac === tail ? undefined : "signature_invalid";
    }
    // The signature holds, whatever it is about.
    return jwtVerify(jws, gatewayKey.publicKey).then(
      () => undefined,
      () => "signature_invalid",
    );
  },
};

const pem = (): string | Buffer => gatewayKey.publicKey.export({ format: "pem", type: "spki" });
const ours = { typ: "session-mark+jwt", kid: "gateway" };

/** Against a service that believes any mark, or one whose verifier is careless. */
const attacks: [
  name: string,
  undefended: "none" | "careless",
  headers: () => Promise<Record<string, string>>,
  problem: string,
][] = [
  ["stripped", "none", async () => ({ [track]: "true", [context]: "forged" }), "signature_missing"],
  [
    "by a key of the stranger's, under the gateway's id",
    "none",
    () => marked(signBy(stranger.privateKey, "gateway")),
    "signature_invalid",
  ],
  [
    "by a key of the stranger's, under an id of its own",
    "none",
    () => marked(signBy(stranger.privateKey, "stranger")),
    "key_unknown",
  ],
  [
    "moved to another method",
    "careless",
    async () => marked(signBy(gatewayKey.privateKey, "gateway", { ...forged, procedure: procedures.login })),
    "signature_invalid",
  ],
  [
    "moved to another context",
    "careless",
    async () => marked(signer.sign({ ...forged, context: "genuine" })),
    "signature_invalid",
  ],
  [
    "moved to another operation",
    "careless",
    async () => marked(signer.sign(forged), { [operation]: "logout" }),
    "signature_invalid",
  ],
  [
    "made for another service",
    "careless",
    () => marked(signBy(gatewayKey.privateKey, "gateway", forged, "mail-service")),
    "signature_invalid",
  ],
  [
    "expired",
    "careless",
    async () => {
      vi.useFakeTimers({ now: Date.now() - 3_600_000, toFake: ["Date"] });
      const old = await signer.sign(forged);
      vi.useRealTimers();
      return marked(old);
    },
    "signature_expired",
  ],
  [
    "a token of the gateway's for something else",
    "careless",
    () =>
      marked(
        new SignJWT({ sub: "user-1" })
          .setProtectedHeader({ alg: "EdDSA", kid: "gateway", typ: "JWT" })
          .setAudience(audience)
          .setIssuedAt()
          .setJti("1")
          .sign(gatewayKey.privateKey),
      ),
    "signature_invalid",
  ],
  ["alg: none", "careless", () => marked(handmade({ ...ours, alg: "none" }, () => "AA")), "signature_invalid"],
  [
    "HS256 with the public key as secret",
    "careless",
    () =>
      marked(
        handmade({ ...ours, alg: "HS256" }, (input) => createHmac("sha256", pem()).update(input).digest("base64url")),
      ),
    "signature_invalid",
  ],
];

describe.each(attacks)("a signature %s", (_, undefended, headers, problem) => {
  it("fools a service without the defence", async () => {
    const target = await startTarget({
      options: undefended === "careless" ? { verify: careless } : {},
      before: [],
    });
    await target.raw("1.1").call(procedures.changePassword, Object.entries(await headers()));
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toHaveLength(1);
    expect(target.seen).toEqual(["forged"]);
  });

  it.each(["1.1", "2"] as const)("does not fool ours, over HTTP/%s", async (httpVersion) => {
    const target = await startTarget(defences.verify(), { httpVersion });
    const answer = await target.raw(httpVersion).call(procedures.changePassword, Object.entries(await headers()));
    expect(answer?.status).toBe(200);
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toEqual([]);
    expect(target.events).toMatchObject([{ contextProblem: problem, action: "change_password" }]);
    expect(target.seen).toEqual([null]);
  });
});

describe("a genuine mark, sent again", () => {
  it("makes two events that nobody can tell apart where nothing is signed", async () => {
    const target = await startTarget(defences.none());
    const { [signature]: _, ...unsigned } = await genuineMark();
    for (let i = 0; i < 2; i++) await target.raw("1.1").call(procedures.changePassword, Object.entries(unsigned));
    await target.interceptor.drain(5_000);
    const results = await Promise.all(target.events.map((event) => verifySessionActivity(event, keys)));
    expect(results.map(({ verified }) => verified)).toEqual([false, false]);
  });

  it("makes two events that show it by the id of their signature", async () => {
    const target = await startTarget(defences.verify());
    const mark = Object.entries(await genuineMark());
    for (let i = 0; i < 2; i++) await target.raw("1.1").call(procedures.changePassword, mark);
    await target.raw("1.1").call(procedures.changePassword, Object.entries(await genuineMark()));
    await target.interceptor.drain(5_000);
    const results = await Promise.all(target.events.map((event) => verifySessionActivity(event, keys)));
    const ids = results.map((result) => result.verified && result.signatureId);
    expect(new Set(target.events.map(({ eventId }) => eventId)).size).toBe(3);
    expect(ids[0]).toBe(ids[1]);
    expect(ids[2]).not.toBe(ids[0]);
  });
});

describe("a JWKS server that hangs", () => {
  it("holds up the calls of a service that fetches keys in them, and not those of ours", async () => {
    const held: (() => void)[] = [];
    const server = createServer((_, response) => void held.push(() => response.end("{}")));
    const jwksUrl = new URL((await listen(server)).baseUrl);

    const remote = createRemoteJWKSet(jwksUrl, { timeoutDuration: 60_000 });
    const fetching: SessionVerifier = {
      unmarked: "keep",
      verify: (_, jws) =>
        jwtVerify(jws, remote).then(
          () => undefined,
          () => "signature_invalid",
        ),
    };
    const slow = await startTarget({ options: { verify: fetching }, before: [] });
    let slowAnswered = false;
    const mark = Object.entries(await genuineMark());
    const slowCall = slow
      .raw("1.1")
      .call(procedures.changePassword, mark)
      .finally(() => {
        slowAnswered = true;
      });
    await until(() => held.length === 1);

    const jwks = createSessionKeySet({ jwksUrl, log: false });
    onTestFinished(() => jwks.close());
    const target = await startTarget({
      options: { verify: createSessionVerifier({ keys: jwks, audience }) },
      before: [],
    });
    await until(() => held.length === 2);
    for (let i = 0; i < 50; i++) await target.raw("1.1").call(procedures.changePassword, mark);
    await target.interceptor.drain(5_000);
    // Both servers hang all the while: ours has answered 50 calls, the other none.
    expect(target.events).toHaveLength(50);
    expect(new Set(target.events.map(({ contextProblem }) => contextProblem))).toEqual(new Set(["key_unknown"]));
    expect(slowAnswered).toBe(false);
    for (const release of held) release();
    await slowCall;
  });
});

describe("a JWKS server that lies", () => {
  const secret = "c3RyYW5nZXJzIHNlY3JldA";
  const jws = (): Promise<string> =>
    handmade({ ...ours, alg: "HS256" }, (input) =>
      createHmac("sha256", Buffer.from(secret, "base64url")).update(input).digest("base64url"),
    );

  async function startLyingServer(): Promise<URL> {
    const body = JSON.stringify({ keys: [{ kty: "oct", k: secret, kid: "gateway", alg: "HS256" }] });
    const { baseUrl } = await listen(createServer((_, response) => void response.end(body)));
    return new URL(baseUrl);
  }

  it("fools a service that takes any key that it is given", async () => {
    const url = await startLyingServer();
    const { keys: given } = (await (await fetch(url)).json()) as { keys: { k: string }[] };
    const trusting: SessionVerifier = {
      unmarked: "keep",
      verify: (_, token) =>
        jwtVerify(token, Buffer.from(given[0]?.k ?? "", "base64url")).then(
          () => undefined,
          () => "signature_invalid",
        ),
    };
    const target = await startTarget({ options: { verify: trusting }, before: [] });
    await target.raw("1.1").call(procedures.changePassword, Object.entries(await marked(jws())));
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toHaveLength(1);
  });

  it("does not fool ours: a shared secret is no key", async () => {
    const jwks = createSessionKeySet({ jwksUrl: await startLyingServer(), log: false });
    onTestFinished(() => jwks.close());
    await jwks.ready();
    const target = await startTarget({
      options: { verify: createSessionVerifier({ keys: jwks, audience }) },
      before: [],
    });
    await target.raw("1.1").call(procedures.changePassword, Object.entries(await marked(jws())));
    await target.interceptor.drain(5_000);
    expect(target.fooled()).toEqual([]);
    expect(target.events).toMatchObject([{ contextProblem: "signature_invalid" }]);
  });
});
