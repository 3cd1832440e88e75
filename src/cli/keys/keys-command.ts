import { join } from "node:path";
import { defaultInWords, type Option, oneOf, text, wrongValue } from "../../base/options.js";
import { type SignatureAlgorithm, signatureAlgorithms } from "../../signature/claims.js";
import { type CommandOption, type GivenOptions, readAction, readArguments } from "../arguments.js";
import type { Command } from "../command.js";
import { files, type KeyFolder } from "./key-folder.js";
import { createKeys, existingKeys, type RotationStep, rotateKeys } from "./key-rotation.js";

const folderOption = text({ meaning: "The folder of the keys; only its owner can open it", byDefault: "session-keys" });
const algorithmOption: Option<SignatureAlgorithm> = oneOf(signatureAlgorithms, {
  meaning: "The algorithm of the first key: Ed25519 is EdDSA, and P-256 is ES256",
  byDefault: "EdDSA",
});

const folder: CommandOption = {
  name: "--folder",
  value: "FOLDER",
  meaning: folderOption.meaning,
  byDefault: defaultInWords(folderOption),
};
const algorithm: CommandOption = {
  name: "--algorithm",
  value: "ALGORITHM",
  meaning: `create: ${algorithmOption.meaning}`,
  byDefault: defaultInWords(algorithmOption),
};
const now: CommandOption = {
  name: "--now",
  meaning: "rotate: takes the next step without waiting: gateways and services are known to be ready",
  byDefault: "",
};
const privateKey: CommandOption = {
  name: "--private-key",
  meaning: "show: prints the private key, and nothing else, to be piped into a store of secrets",
  byDefault: "",
};

interface Action {
  readonly options: readonly CommandOption[];
  /** Answers with what does it, and gives the text to print. Throws an `OptionError` for a wrong option. */
  prepare(path: string, given: GivenOptions): () => string;
}

const actionNames = ["create", "rotate", "show"] as const;
const actions: Readonly<Record<(typeof actionNames)[number], Action>> = {
  create: { options: [folder, algorithm], prepare: prepareCreate },
  rotate: { options: [folder, now], prepare: (path, given) => () => rotate(path, given.has(now.name)) },
  show: { options: [folder, privateKey], prepare: (path, given) => () => show(path, given.has(privateKey.name)) },
};

/** `session-activity keys`. */
export const keysCommand: Command = {
  name: "keys",
  summary: "Makes and rotates the keys that gateways sign with",
  help: {
    usage: "create|rotate|show [options]",
    about: `create  makes a signing key, and the JWKS to publish
rotate  takes the next step of a rotation, and says what to do before the one after it
show    says which file is for whom`,
    options: [folder, algorithm, now, privateKey],
    examples: [
      { does: "Make the first key", line: "session-activity keys create --folder session-keys" },
      { does: "Take the next step of a rotation", line: "session-activity keys rotate --folder session-keys" },
      {
        does: "Put the private key into a store of secrets",
        line: "session-activity keys show --private-key | vault kv put secret/session-key key=-",
      },
    ],
    endings: {},
  },
  prepare([word, ...args]) {
    const action = actions[readAction("keys", word, actionNames)];
    const given = readArguments(args, action.options);
    const run = action.prepare(readValueOf(given, folder, folderOption), given);
    return (terminal) => terminal.write(run());
  },
};

function readValueOf<T>(given: GivenOptions, { name }: CommandOption, option: Option<T>): T {
  const value = option.read(given.get(name) ?? option.byDefault);
  if (value === undefined) throw wrongValue(name, option, given.get(name));
  return value;
}

function prepareCreate(path: string, given: GivenOptions): () => string {
  const chosen = readValueOf(given, algorithm, algorithmOption);
  return () => {
    const keys = createKeys(path, chosen);
    return `Made the signing key ${keys.signing.keyId}.\n\n${guide(keys)}`;
  };
}

function show(path: string, isPrivate: boolean): string {
  const keys = existingKeys(path);
  return isPrivate ? `${JSON.stringify(keys.signing.jwk)}\n` : guide(keys);
}

function rotate(path: string, isForced: boolean): string {
  const step = rotateKeys(path, { isForced });
  if (step.kind === "early") {
    const seconds = Math.ceil(step.waitMs / 1_000);
    throw new Error(`it is too early for the next step: wait ${seconds} s, since ${step.why}. --now skips this`);
  }
  return `${adviceFor(step, path)}\n`;
}

function adviceFor({ kind }: Exclude<RotationStep, { kind: "early" }>, path: string): string {
  const [signing, published, retired] = [files.signing, files.published, files.retired].map((file) => join(path, file));
  const again = `npx session-activity keys rotate --folder ${path}`;
  if (kind === "published") {
    return `There is a new key beside the old one. Publish ${published} now.\nAfter 5 minutes, when services have fetched it, run: ${again}`;
  }
  if (kind === "switched") {
    return `The new key signs. Give ${signing} to all gateways now, and restart them.\n2 minutes after the last one has started, run: ${again}`;
  }
  return `The rotation is complete. Publish ${published} now: the old key is no longer in it.\nReaders that verify old events take it from ${retired}.`;
}

/** What to put where. It holds no private key. */
function guide({ path, signing, published }: KeyFolder): string {
  const keys = published.map(({ kid }) => (kid === signing.keyId ? `${kid} (signs)` : kid)).join(", ");
  return `${join(path, files.signing)}: the private key, for gateways only
  SESSION_SIGNATURE_KEY_FILE=${join(path, files.signing)}
  createSessionSigner({ audience: "account-service" })

${join(path, files.published)}: the public keys, to be published: ${keys}
  SESSION_SIGNATURE_JWKS_URL=https://…, where you publish it; or SESSION_SIGNATURE_KEYS_FILE=…, a copy of it
  createSessionVerifier({ keys: createSessionKeySet(), audience: "account-service" })

To change the key: npx session-activity keys rotate --folder ${path}
`;
}
