import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Certificates of one test run. All are paths of PEM files. */
export interface Certificates {
  /** The authority that the broker's and the client's certificates come from. */
  readonly ca: string;
  /** One that nobody here has a certificate from. */
  readonly otherCa: string;
  /** The broker's key, certificate and chain in one file, as Kafka takes them. It is for 127.0.0.1, and for no name. */
  readonly broker: string;
  /** The client's certificate, its key, and the same key encrypted with `keyPassword`. */
  readonly client: string;
  readonly clientKey: string;
  readonly clientKeyEncrypted: string;
  readonly keyPassword: string;
  delete(): void;
}

/** Makes certificates, with the machine's openssl. */
export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), "certificates-"));
  const at = (name: string): string => join(folder, `${name}.pem`);
  const keyPassword = "opens the client's key";

  function authority(name: string): string {
    openssl(["req", "-x509", "-days", "2", "-subj", `/CN=${name}`, "-out", at(name), ...newKey(at(`${name}-key`))]);
    return at(name);
  }

  function certificate(name: string, extensions: string): void {
    const request = join(folder, `${name}.csr`);
    const extensionFile = join(folder, `${name}.cnf`);
    writeFileSync(extensionFile, extensions);
    openssl(["req", "-new", "-subj", `/CN=${name}`, "-out", request, ...newKey(at(`${name}-key`))]);
    const issuer = ["-CA", at("ca"), "-CAkey", at("ca-key"), "-CAcreateserial"];
    openssl(["x509", "-req", "-days", "2", "-in", request, "-extfile", extensionFile, "-out", at(name), ...issuer]);
  }

  const ca = authority("ca");
  const otherCa = authority("other-ca");
  certificate("broker", "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n");
  certificate("client", "extendedKeyUsage=clientAuth\n");
  const chain = ["broker-key", "broker", "ca"].map((name) => readFileSync(at(name), "utf8"));
  writeFileSync(at("broker-chain"), chain.join(""));
  const encrypted = at("client-key-encrypted");
  openssl([
    "pkcs8",
    "-topk8",
    "-v2",
    "aes256",
    "-in",
    at("client-key"),
    "-out",
    encrypted,
    "-passout",
    `pass:${keyPassword}`,
  ]);
  return {
    ca,
    otherCa,
    broker: at("broker-chain"),
    client: at("client"),
    clientKey: at("client-key"),
    clientKeyEncrypted: encrypted,
    keyPassword,
    delete: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function newKey(file: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-keyout", file];
}

function openssl(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync("openssl", args, { encoding: "utf8" });
  if (error !== undefined) {
    throw new Error('"openssl" is missing: these tests make certificates with it (on Debian: apt-get install openssl)');
  }
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}:\n${stderr}`);
}
