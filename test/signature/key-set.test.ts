import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { fetchAdvice } from "../../src/signature/fetch-failure.js";
import { createSessionKeySet, type FetchProblem, type SessionKeySetOptions } from "../../src/signature/index.js";
import { freePorts } from "../support/free-ports.js";
import { listen } from "../support/listen.js";
import { refusalOf } from "../support/refusal.js";
import { selfSigned } from "../support/self-signed.js";
import { until } from "../support/until.js";

function publicJwk(kid: string): JsonWebKey {
  return { ...generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }), kid };
}

/** A server that answers as the test says. */
async function startJwksServer(
  listener: RequestListener,
): Promise<{ url: string; answer: (next: RequestListener) => void; asked: () => number }> {
  let current = listener;
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    current(request, response);
  });
  const { baseUrl } = await listen(server);
  const answer = (next: RequestListener): void => {
    current = next;
  };
  return { url: `${baseUrl}/jwks`, answer, asked: () => asked };
}

const send =
  (body: unknown): RequestListener =>
  (_, response) => {
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

function createKeySet(options: SessionKeySetOptions) {
  const keys = createSessionKeySet({ log: false, ...options });
  onTestFinished(() => keys.close());
  return keys;
}

/** What is logged as a warning or an error. */
function createLog() {
  const lines: [details: object, message: string][] = [];
  const add = (details: object, message: string): void => void lines.push([details, message]);
  return { log: { debug() {}, info() {}, warn: add, error: add }, lines };
}

async function startTls(hosts: readonly string[]): Promise<string> {
  const { port } = await listen(createTlsServer(selfSigned(hosts), send("{}")));
  return `https://127.0.0.1:${port}`;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("createSessionKeySet, local keys", () => {
  it("finds keys by their id", () => {
    const keys = createKeySet({ keys: [publicJwk("a"), publicJwk("b")] });
    expect(keys.find("a")).toMatchObject({ keyId: "a", algorithm: "EdDSA" });
    expect(keys.find("b")?.keyId).toBe("b");
    expect(keys.find("c")).toBeUndefined();
    expect(keys.find("__proto__")).toBeUndefined();
    const fetched = { refreshed: 0, refreshFailed: 0, refreshedAt: undefined, refreshProblem: undefined, stale: false };
    expect(keys.stats()).toEqual({ keys: 2, ...fetched });
  });

  const url =
    "jwksUrl must be an https: address; an http: address if it is of this machine, or allowInsecureUrl is true";
  const pem = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
  const wrong: [string, object, string, string, string?][] = [
    [
      "nothing",
      {},
      "keys",
      "keys must be given, an array of public keys, JWK or PEM, or keysFile, or jwksUrl",
      "MISSING",
    ],
    [
      "no array",
      { keys: publicJwk("a") },
      "keys",
      "keys must be an array of public keys, JWK or PEM, got an object: put the key into an array",
    ],
    [
      "PEM",
      { keys: pem },
      "keys",
      "keys must be an array of public keys, JWK or PEM, got a text of 119 characters: put the key into an array",
    ],
    [
      "private PEM in an array",
      { keys: [pem] },
      "keys[0]",
      "keys[0] must be a public key, PEM or JWK, without private parts, got a text of 119 characters",
    ],
    ["a JWK as text", { keys: ['{"kty":"OKP","d":"c2VjcmV0"}'] }, "keys[0]", "got a text of 28 characters"],
    [
      "a KeyObject",
      { keys: [generateKeyPairSync("ed25519").publicKey] },
      "keys[0]",
      'got an object: its export({ format: "jwk" }) makes one',
    ],
    [
      "no kid",
      { keys: [{ ...publicJwk("a"), kid: undefined }] },
      "keys[0].kid",
      "keys[0].kid must be given, a text of 1 to 256 characters",
      "MISSING",
    ],
    [
      "an empty kid",
      { keys: [{ ...publicJwk("a"), kid: "" }] },
      "keys[0].kid",
      'keys[0].kid must be a text of 1 to 256 characters, got ""',
    ],
    [
      "one id twice",
      { keys: [publicJwk("a"), publicJwk("a")] },
      "keys",
      'keys must be keys with different ids, got "a"',
    ],
    [
      "a private key",
      { keys: [{ ...publicJwk("a"), d: "c2VjcmV0" }] },
      "keys[0]",
      "keys[0] must be a public JWK, without private parts, got an object",
    ],
    [
      "a secret",
      { keys: [{ kty: "oct", k: "c2VjcmV0", kid: "a" }] },
      "keys[0]",
      "keys[0] must be a public JWK, without private parts, got an object",
    ],
    [
      "another use",
      { keys: [{ ...publicJwk("a"), use: "enc" }] },
      "keys[0].use",
      'keys[0].use must be "sig", or absent, got "enc"',
    ],
    [
      "another alg",
      { keys: [{ ...publicJwk("a"), alg: "ES256" }] },
      "keys[0].alg",
      'keys[0].alg must be "EdDSA", or absent, got "ES256"',
    ],
    [
      "no key",
      { keys: [{ kid: "a" }] },
      "keys[0]",
      "keys[0] must be a public JWK, without private parts, got an object",
    ],
    [
      "another kind of key",
      { keys: [{ kty: "OKP", crv: "X25519", x: "AAAA", kid: "a" }] },
      "keys[0]",
      "keys[0] must be an Ed25519 or P-256 key, got another",
    ],
    ["plain HTTP", { jwksUrl: "http://keys.example/jwks" }, "jwksUrl", `${url}, got "http://keys.example"`],
    ["a file", { jwksUrl: "file:///keys" }, "jwksUrl", `${url}, got "file://"`],
    ["no address", { jwksUrl: "keys" }, "jwksUrl", `${url}, got "keys"`],
    ["addresses", { jwksUrl: ["https://keys.example"] }, "jwksUrl", `${url}, got ["https://keys.example"]`],
    [
      "a token in what is no address",
      { jwksUrl: "keys.example/jwks?token=c2VjcmV0" },
      "jwksUrl",
      `${url}, got "keys.example/jwks?…"`,
    ],
    [
      "a password in the address",
      { jwksUrl: "https://user:c2VjcmV0@keys.example/jwks" },
      "jwksUrl",
      "jwksUrl must be an address without a user name and password, which fetch does not take, got one with them",
    ],
    [
      "keys that are stale before they are fetched again",
      { jwksUrl: "https://keys.example", maxStaleMs: 305_000 },
      "maxStaleMs",
      "maxStaleMs must be a number of milliseconds larger than refreshMs and timeoutMs together, and up to 2147483647, got 305000",
    ],
    [
      "too often",
      { keys: [publicJwk("a")], refreshMs: 10 },
      "refreshMs",
      "refreshMs must be a number of milliseconds from 100 to 2147483647, got 10",
    ],
    [
      "unknown",
      { jwks: "https://keys.example" },
      "jwks",
      "jwks is not an option of createSessionKeySet: did you mean jwksUrl?",
      "UNKNOWN",
    ],
  ];
  it.each(wrong)("refuses wrong options: %s", (_, options, option, message, code = "INVALID") => {
    const refusal = refusalOf(() => createSessionKeySet(options));
    expect(refusal.message).toContain(message);
    expect(refusal).toMatchObject({ option, code: `ERR_OPTION_${code}` });
    expect(refusal.message).not.toMatch(/c2VjcmV0|PRIVATE KEY/);
  });
});

describe("createSessionKeySet, a JWKS", () => {
  it("fetches keys in the background, and passes over those that it cannot use", async () => {
    const rsa = {
      ...generateKeyPairSync("rsa", { modulusLength: 2_048 }).publicKey.export({ format: "jwk" }),
      kid: "rsa",
    };
    const jwks = { keys: [rsa, { kty: "oct", k: "c2VjcmV0", kid: "secret" }, null, 7, publicJwk("a"), publicJwk("a")] };
    const { url } = await startJwksServer(send(jwks));
    const keys = createKeySet({ jwksUrl: url });
    expect(keys.find("a")).toBeUndefined();
    await keys.ready();
    expect(keys.find("a")?.key.export({ format: "jwk" })).toMatchObject({
      x: jwks.keys[4] && (jwks.keys[4] as JsonWebKey).x,
    });
    expect(keys.stats()).toMatchObject({ keys: 1, refreshed: 1, refreshFailed: 0, refreshedAt: expect.any(Date) });
  });

  it("does not let the JWKS replace a local key", async () => {
    const [local, remote] = [publicJwk("a"), publicJwk("a")];
    const { url } = await startJwksServer(send({ keys: [remote] }));
    const keys = createKeySet({ keys: [local], jwksUrl: url });
    await keys.ready();
    expect(keys.find("a")?.key.export({ format: "jwk" })).toMatchObject({ x: local.x });
  });

  it("fetches again when a key is asked for that it does not know, but only now and then", async () => {
    const { url, answer, asked } = await startJwksServer(send({ keys: [publicJwk("old")] }));
    const keys = createKeySet({ jwksUrl: url });
    await keys.ready();
    answer(send({ keys: [publicJwk("old"), publicJwk("new")] }));
    for (let i = 0; i < 1_000; i++) expect(keys.find(`unknown-${i}`)).toBeUndefined();
    expect(asked()).toBe(1);
    const later = performance.now() + 60_000;
    vi.spyOn(performance, "now").mockReturnValue(later);
    for (let i = 0; i < 1_000; i++) expect(keys.find("new")).toBeUndefined();
    await until(() => keys.find("new") !== undefined);
    expect(asked()).toBe(2);
  });

  it("takes away a key that the JWKS no longer has", async () => {
    const { url, answer } = await startJwksServer(send({ keys: [publicJwk("old"), publicJwk("new")] }));
    const keys = createKeySet({ jwksUrl: url, refreshMs: 100 });
    await keys.ready();
    expect(keys.find("old")).toBeDefined();
    answer(send({ keys: [publicJwk("new")] }));
    await until(() => keys.find("old") === undefined);
    expect(keys.find("new")).toBeDefined();
  });

  const lies: [FetchProblem, string, RequestListener][] = [
    ["wrong_status", "an error", (_, response) => void response.writeHead(500).end()],
    ["not_json", "no JSON", send("<html>")],
    ["not_a_jwks", "another JSON", send(["keys"])],
    ["not_a_jwks", "null", send("null")],
    ["no_usable_key", "no keys", send({ keys: [] })],
    [
      "no_usable_key",
      "only keys of other kinds",
      send({ keys: [{ kty: "oct", k: "c2VjcmV0", kid: "good", alg: "HS256" }] }),
    ],
    [
      "cut_off",
      "a cut answer",
      (_, response) => void response.writeHead(200, { "content-length": "1000" }).write("{", () => response.destroy()),
    ],
    ["cut_off", "a reset", ({ socket }) => void socket.resetAndDestroy()],
    ["not_http", "something else than HTTP", ({ socket }) => void socket.end("220 mail.example ESMTP\r\n")],
    [
      "redirected",
      "a redirect",
      (_, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/jwks" }).end(),
    ],
    ["too_large", "an answer without end", endless],
    ["timed_out", "nothing, ever", () => {}],
    ["timed_out", "headers, and then nothing", (_, response) => void response.writeHead(200).write("{")],
  ];
  it.each(lies)("keeps the last good keys, and says %s, when the server gives %s", async (problem, _, lie) => {
    const { url, answer, asked } = await startJwksServer(send({ keys: [publicJwk("good")] }));
    const { log, lines } = createLog();
    const keys = createKeySet({ jwksUrl: url, refreshMs: 100, timeoutMs: 1_000, log });
    await keys.ready();
    const good = keys.find("good");
    answer(lie);
    await until(() => keys.stats().refreshFailed > 0);
    expect(asked()).toBeGreaterThan(1);
    expect(good).toBeDefined();
    expect(keys.find("good")).toBe(good);
    expect(keys.stats()).toMatchObject({ keys: 1, refreshed: 1, refreshProblem: problem, stale: false });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject([{ kind: "jwks_not_fetched", problem, keys: 1 }, expect.any(String)]);
    expect(lines[0]![1]).toContain(fetchAdvice[problem]);
    answer(send({ keys: [publicJwk("good")] }));
    await until(() => keys.stats().refreshed > 1);
    expect(keys.stats().refreshProblem).toBeUndefined();
  });

  /** Addresses that no answer comes from. Each has a secret in its path and query. */
  const dead: [FetchProblem, string, () => Promise<string>, string?][] = [
    ["refused", "nothing listens", async () => `http://127.0.0.1:${(await freePorts(1))[0]}`, "ECONNREFUSED"],
    ["host_unknown", "its name is not known", () => Promise.resolve("https://keys.invalid")],
    ["tls", "its certificate is not trusted", () => startTls(["127.0.0.1"]), "DEPTH_ZERO_SELF_SIGNED_CERT"],
    [
      "tls",
      "it does not speak TLS",
      async () => (await startJwksServer(send("{}"))).url.replace(/^http(.*)\/jwks$/, "https$1"),
    ],
  ];
  it.each(dead)(
    "says %s, and what to check, when %s, and tells no secret of the address",
    async (problem, _, start, code) => {
      const { log, lines } = createLog();
      const origin = await start();
      const keys = createKeySet({ jwksUrl: `${origin}/c2VjcmV0/jwks?token=c2VjcmV0`, log });
      await keys.ready();
      expect(lines).toMatchObject([
        [{ kind: "jwks_not_fetched", origin, problem }, expect.stringContaining(fetchAdvice[problem])],
      ]);
      if (code !== undefined) expect(lines[0]![0]).toMatchObject({ code });
      expect(JSON.stringify(lines)).not.toContain("c2VjcmV0");
      expect(keys.stats()).toMatchObject({ refreshFailed: 1, refreshProblem: problem });
    },
  );

  it("lets keys go stale if they cannot be fetched for too long, but not those given", async () => {
    const jwks = { keys: [publicJwk("remote")] };
    const { url, answer } = await startJwksServer(send(jwks));
    const { log, lines } = createLog();
    const keys = createKeySet({
      keys: [publicJwk("local")],
      jwksUrl: url,
      refreshMs: 100,
      timeoutMs: 1_000,
      maxStaleMs: 60_000,
      log,
    });
    await keys.ready();
    answer((_, response) => void response.writeHead(503).end());
    await until(() => keys.stats().refreshFailed > 0);
    expect(keys.find("remote")).toBeDefined();
    const now = vi.spyOn(performance, "now").mockReturnValue(performance.now() + 60_000);
    expect(keys.find("remote")).toBeUndefined();
    expect(keys.find("local")).toBeDefined();
    expect(keys.isStale()).toBe(true);
    expect(keys.stats()).toMatchObject({ keys: 1, stale: true });
    const failed = keys.stats().refreshFailed;
    await until(() => keys.stats().refreshFailed > failed);
    expect(lines.at(-1)).toMatchObject([
      { kind: "jwks_stale", problem: "wrong_status", status: 503 },
      expect.stringContaining("no longer hold"),
    ]);
    answer(send(jwks));
    await until(() => keys.find("remote") !== undefined);
    expect(keys.stats()).toMatchObject({ keys: 2, stale: false });
    now.mockRestore();
  });

  it("finds keys at once while the server hangs, and is ready when it has given up", async () => {
    const { url } = await startJwksServer(() => {});
    const keys = createKeySet({ keys: [publicJwk("local")], jwksUrl: url, timeoutMs: 200 });
    expect(keys.find("local")).toBeDefined();
    expect(keys.find("unknown")).toBeUndefined();
    expect(keys.stats()).toMatchObject({ refreshed: 0, refreshFailed: 0 });
    await keys.ready();
    expect(keys.find("local")).toBeDefined();
    expect(keys.stats()).toMatchObject({ refreshed: 0, refreshFailed: 1 });
  });

  it("stops at close, also in the middle of fetching", async () => {
    const { url, asked } = await startJwksServer(() => {});
    const warn = vi.fn();
    const keys = createKeySet({ jwksUrl: url, log: { debug() {}, info() {}, warn, error() {} } });
    await until(() => asked() === 1);
    keys.close();
    await keys.ready();
    expect(warn).not.toHaveBeenCalled();
    vi.spyOn(performance, "now").mockReturnValue(performance.now() + 60_000);
    expect(keys.find("any")).toBeUndefined();
    expect(asked()).toBe(1);
  });
});

/** Writes as fast as the other side reads. */
function endless(_: unknown, response: Parameters<RequestListener>[1]): void {
  const write = (): void => {
    while (!response.destroyed && response.write(" ".repeat(65_536)));
  };
  response.on("drain", write);
  write();
}
