import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Environment } from "../../base/environment.js";
import { errorMessage } from "../../base/errors.js";
import type { KafkaProperties } from "../../kafka/client/client-options.js";
import { fetchAdvice } from "../../signature/fetch-failure.js";
import { readPrivateKeyFile } from "../../signature/key-file.js";
import { createSessionKeySet } from "../../signature/key-set.js";
import { bad, type Finding, good, unchecked } from "./finding.js";

/** The variables of keys. */
const keyFile = "SESSION_SIGNATURE_KEY_FILE";
const keysFile = "SESSION_SIGNATURE_KEYS_FILE";
const jwksUrl = "SESSION_SIGNATURE_JWKS_URL";

/** Looks at the keys that the environment names: those of a gateway, those of services, and certificates for Kafka. */
export async function* findKeys(env: Environment, properties: KafkaProperties): AsyncGenerator<Finding, void, void> {
  const signing = yield* findSigningKey(env[keyFile]?.trim() ?? "");
  if (env[keysFile]?.trim() || env[jwksUrl]?.trim()) yield* findPublicKeys(env, signing);
  else if (signing === undefined) {
    yield unchecked(
      "Keys",
      "the environment names no key",
      `set ${keyFile}, ${keysFile} or ${jwksUrl} as gateway and services have them`,
    );
  }
  yield* findCertificate("ssl.certificate.location", properties);
  yield* findCertificate("ssl.ca.location", properties);
}

function* findSigningKey(path: string): Generator<Finding, string | undefined, void> {
  if (path === "") return undefined;
  try {
    const { keyId } = readPrivateKeyFile(keyFile, path, undefined);
    yield good("Signing key", `${path} holds the key ${keyId}`);
    return keyId;
  } catch (error) {
    yield bad(
      "Signing key",
      errorMessage(error),
      "give the file that session-activity keys create makes, or restore it",
    );
    return undefined;
  }
}

async function* findPublicKeys(env: Environment, signing: string | undefined): AsyncGenerator<Finding, void, void> {
  let keys: ReturnType<typeof createSessionKeySet>;
  try {
    keys = createSessionKeySet({ env, log: false });
  } catch (error) {
    yield bad("Public keys", errorMessage(error), `mend ${keysFile} or ${jwksUrl}`);
    return;
  }
  try {
    await keys.ready();
    const { keys: count, refreshProblem } = keys.stats();
    if (refreshProblem !== undefined) {
      yield bad("Public keys", `${jwksUrl} cannot be fetched (${refreshProblem})`, fetchAdvice[refreshProblem]);
    } else {
      yield good("Public keys", `${count} can be used`);
    }
    if (signing !== undefined && keys.find(signing) === undefined) {
      yield bad(
        "Keys",
        `services do not know the key ${signing}, by which this gateway signs`,
        "publish it first: session-activity keys rotate says in which order",
      );
    }
  } finally {
    keys.close();
  }
}

function* findCertificate(property: string, properties: KafkaProperties): Generator<Finding, void, void> {
  const path = properties[property];
  // The authorities of the system are named by a word.
  if (typeof path !== "string" || !/[./\\]/.test(path)) return;
  try {
    const { validTo, validFrom } = new X509Certificate(readFileSync(path));
    const [from, to] = [new Date(validFrom), new Date(validTo)];
    if (to.getTime() < Date.now()) {
      yield bad(
        "Certificate",
        `${path} has expired on ${to.toISOString()}`,
        "renew it; if it is not old, check this machine's clock",
      );
    } else if (from.getTime() > Date.now()) {
      yield bad("Certificate", `${path} holds from ${from.toISOString()} on`, "check this machine's clock");
    } else {
      yield good("Certificate", `${path} holds until ${to.toISOString().slice(0, 10)}`);
    }
  } catch (error) {
    yield bad("Certificate", `${path} cannot be read: ${errorMessage(error)}`, `mend the file that ${property} names`);
  }
}
