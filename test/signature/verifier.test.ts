import type { JsonWebKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createSessionKeySet,
  createSessionSigner,
  createSessionVerifier,
  type SessionVerifierOptions,
} from "../../src/signature/index.js";
import { refusalOf } from "../support/refusal.js";

interface Vector {
  readonly name: string;
  /** In seconds since the epoch. */
  readonly at: number;
  readonly mark: { readonly context: string; readonly operation?: string; readonly procedure: string };
  readonly signature: string;
  readonly problem: string | null;
}

/** Signatures made by Python's PyJWT: see the script beside the file. */
const { audience, maxAgeMs, clockSkewMs, publicKeys, privateKeys, vectors } = JSON.parse(
  readFileSync(new URL("../vectors/session-marks.json", import.meta.url), "utf8"),
);
const keys = createSessionKeySet({ keys: publicKeys });
const mark = { context: "c2Vzc2lvbg", operation: "login", procedure: "/a.B/C" };

afterEach(() => {
  vi.useRealTimers();
});

describe("createSessionVerifier", () => {
  const verifier = createSessionVerifier({ keys, audience, maxAgeMs, clockSkewMs });

  it.each<Vector>(vectors)("agrees with another implementation: $name", async (vector) => {
    vi.useFakeTimers({ now: vector.at * 1_000, toFake: ["Date"] });
    const given = { ...vector.mark, operation: vector.mark.operation };
    expect(await verifier.verify(given, vector.signature)).toBe(vector.problem ?? undefined);
  });

  it.each([0, 1])("takes what our signer makes, with key %i", async (i) => {
    const signature = await createSessionSigner({ key: privateKeys[i], audience }).sign(mark);
    expect(await verifier.verify(mark, signature)).toBeUndefined();
    expect(await verifier.verify({ ...mark, procedure: "/a.B/D" }, signature)).toBe("signature_invalid");
  });

  it("keeps to the algorithms allowed", async () => {
    const strict = createSessionVerifier({ keys, audience, algorithms: ["ES256"] });
    const [ed25519, p256] = await Promise.all(
      privateKeys.map((key: JsonWebKey) => createSessionSigner({ key, audience }).sign(mark)),
    );
    expect(await strict.verify(mark, ed25519)).toBe("signature_invalid");
    expect(await strict.verify(mark, p256)).toBeUndefined();
  });

  it("looks at no signature that is larger than any of ours", async () => {
    const find = vi.fn(keys.find);
    const watched = createSessionVerifier({ keys: { ...keys, find }, audience });
    const signature = await createSessionSigner({ key: privateKeys[0], audience: audience.repeat(200) }).sign(mark);
    expect(await watched.verify(mark, signature)).toBe("signature_invalid");
    expect(await watched.verify(mark, "x".repeat(60_000))).toBe("signature_invalid");
    expect(find).not.toHaveBeenCalled();
  });

  it("takes several audiences, and two keys at once", async () => {
    const both = createSessionVerifier({ keys, audience: ["mail-service", audience] });
    for (const key of privateKeys) {
      expect(await both.verify(mark, await createSessionSigner({ key, audience }).sign(mark))).toBeUndefined();
    }
  });

  it("says of a key that it does not find whether the keys are too old to tell", async () => {
    const signature = await createSessionSigner({ key: privateKeys[0], audience }).sign(mark);
    const verifierWith = (isStale: boolean) =>
      createSessionVerifier({ keys: { ...keys, find: () => undefined, isStale: () => isStale }, audience });
    expect(await verifierWith(false).verify(mark, signature)).toBe("key_unknown");
    expect(await verifierWith(true).verify(mark, signature)).toBe("key_stale");
  });

  const texts = "a text, or several in an array, none of them empty";
  const wrong: [Record<string, unknown>, string, string][] = [
    [{ keys: publicKeys }, "keys", "keys must be a SessionKeySet, which createSessionKeySet makes, got an array"],
    [{ audience: "" }, "audience", `audience must be ${texts}, got ""`],
    [{ audience: [] }, "audience", `audience must be ${texts}, got []`],
    [{ audience: [["a"]] }, "audience", `audience must be ${texts}, got an array`],
    [{ algorithms: ["HS256"] }, "algorithms", 'algorithms must be an array of `EdDSA` and `ES256`, got ["HS256"]'],
    [{ algorithms: [] }, "algorithms", "algorithms must be an array of `EdDSA` and `ES256`, got []"],
    [{ maxAgeMs: 0 }, "maxAgeMs", "maxAgeMs must be a number of milliseconds from 1 to 2147483647, got 0"],
    [{ maxAgeMs: -1 }, "maxAgeMs", "maxAgeMs must be a number of milliseconds from 1 to 2147483647, got -1"],
    [
      { clockSkewMs: Number.NaN },
      "clockSkewMs",
      "clockSkewMs must be a number of milliseconds from 0 to 2147483647, got NaN",
    ],
    [{ unmarked: "delete" }, "unmarked", 'unmarked must be "keep" or "drop", got "delete"'],
  ];
  it.each(wrong)("refuses wrong options: %j", (options, option, message) => {
    const given = { keys, audience, ...options } as SessionVerifierOptions;
    expect(refusalOf(() => createSessionVerifier(given))).toMatchObject({
      message,
      option,
      code: "ERR_OPTION_INVALID",
    });
  });
});
