import { spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createKeys, existingKeys, rotateKeys } from "../../../src/cli/keys/key-rotation.js";
import { createSessionKeySet, createSessionSigner, createSessionVerifier } from "../../../src/signature/index.js";
import { dist } from "../../support/program.js";

const mark = { procedure: "/a.v1.A/B", operation: "b", context: "c2Vzc2lvbi0x" };
const audience = "account-service";

let folder: string;
beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), "keys-"));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  folder = join(parent, "session-keys");
});

function run(...args: string[]) {
  const script = join(dist, "src/cli/session-activity.js");
  return spawnSync(process.execPath, [script, "keys", ...args], { cwd: join(folder, ".."), encoding: "utf8" });
}

const fileOf = (name: string): string => join(folder, name);
const sign = () => createSessionSigner({ keyFile: fileOf("signing-key.json"), audience, env: false }).sign(mark);
const verify = (signature: string, keysFile = "jwks.json") =>
  createSessionVerifier({
    keys: createSessionKeySet({ keysFile: fileOf(keysFile), env: false }),
    audience,
    env: false,
  }).verify(mark, signature);

/** Makes a file look older. */
const age = (name: string, seconds: number): void => {
  const then = Date.now() / 1_000 - seconds;
  utimesSync(fileOf(name), then, then);
};

describe("session-activity keys", { timeout: 90_000 }, () => {
  test("makes a key that a signer and a key set take, and shows no private key", async () => {
    const { stdout, status } = run("create");
    expect(status).toBe(0);
    expect(stdout).toContain("SESSION_SIGNATURE_KEY_FILE=session-keys/signing-key.json");
    expect(await verify(await sign())).toBeUndefined();
    const { d, kid } = JSON.parse(readFileSync(fileOf("signing-key.json"), "utf8"));
    expect(stdout).toContain(`Made the signing key ${kid}.`);
    expect(stdout + run("show").stdout).not.toContain(d);
    expect(readFileSync(fileOf("jwks.json"), "utf8")).not.toContain(d);
    expect(JSON.parse(run("show", "--private-key").stdout)).toMatchObject({ d, kid });
  });

  test("gives nobody else a right to the folder and its files", () => {
    run("create", "--algorithm", "ES256");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder)).toEqual(["jwks.json", "signing-key.json"]);
    for (const name of readdirSync(folder)) expect(statSync(fileOf(name)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(fileOf("jwks.json"), "utf8")).keys).toMatchObject([{ alg: "ES256", use: "sig" }]);
    chmodSync(folder, 0o750);
    const { stderr, status } = run("show");
    expect(stderr).toContain("session-keys can be opened by others. Run: chmod 700 session-keys");
    expect(status).toBe(1);
  });

  test("a second key does not take the place of the first", () => {
    run("create");
    const before = readFileSync(fileOf("signing-key.json"), "utf8");
    const { stderr, status } = run("create");
    expect(stderr).toContain("To change it, run: npx session-activity keys rotate --folder session-keys");
    expect(status).toBe(1);
    expect(readFileSync(fileOf("signing-key.json"), "utf8")).toBe(before);
  });

  test("rotates in three steps, none of which refuses a mark that holds", async () => {
    run("create");
    const old = await sign();
    expect(run("rotate").stdout).toContain("Publish session-keys/jwks.json now.");
    expect(await sign()).toContain(old.split(".")[0]);
    const early = run("rotate");
    expect(early.stderr).toMatch(/too early for the next step: wait \d+ s, since services fetch/);
    expect(early.status).toBe(1);

    age("jwks.json", 301);
    expect(run("rotate").stdout).toContain("Give session-keys/signing-key.json to all gateways now");
    const signature = await sign();
    expect(signature.split(".")[0]).not.toBe(old.split(".")[0]);
    expect([await verify(old), await verify(signature)]).toEqual([undefined, undefined]);
    expect(run("rotate").stderr).toContain("since marks by the old key hold until then");

    age("signing-key.json", 121);
    expect(run("rotate").stdout).toContain("The rotation is complete.");
    expect([await verify(old), await verify(signature)]).toEqual(["key_unknown", undefined]);
    expect(await verify(old, "retired-jwks.json")).toBeUndefined();
    expect(readdirSync(folder)).toEqual(["jwks.json", "retired-jwks.json", "signing-key.json"]);
  });

  test("--now takes the next step at once", () => {
    run("create");
    for (let step = 0; step < 3; step++) expect(run("rotate", "--now").status).toBe(0);
    expect(existingKeys(folder).retired).toHaveLength(1);
    run("rotate");
    expect(existingKeys(folder).published).toHaveLength(2);
  });

  test("a run that was cut off before the new key was published publishes it, and does not sign with it", () => {
    createKeys(folder, "EdDSA");
    const before = readFileSync(fileOf("jwks.json"), "utf8");
    rotateKeys(folder, { isForced: false });
    writeFileSync(fileOf("jwks.json"), before);
    age("jwks.json", 1_000);
    expect(rotateKeys(folder, { isForced: true })).toEqual({ kind: "published" });
    expect(existingKeys(folder).published).toHaveLength(2);
  });

  test.each([
    [[], 2, "the word after keys must be create, rotate or show, got none"],
    [["make"], 2, 'the word after keys must be create, rotate or show, got "make"'],
    [["create", "--algorithm", "RS256"], 2, '--algorithm must be "EdDSA" or "ES256", got "RS256"'],
    [["rotate"], 1, "session-keys has no signing key. To make one, run: npx session-activity keys create"],
  ])("%o ends with %i", (args, exitCode, message) => {
    const { stderr, status } = run(...args);
    expect(stderr).toContain(message);
    expect(status).toBe(exitCode);
  });

  test("a damaged file is named, and not quoted", () => {
    run("create");
    writeFileSync(fileOf("signing-key.json"), '{"d":"c2VjcmV0"');
    const { stderr } = run("show");
    expect(stderr).toContain("signing-key.json cannot be read as JSON");
    expect(stderr).not.toContain("c2VjcmV0");
  });
});
