import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGo, builtFrom, runTool } from "../support/built-tool.js";
import { root } from "../support/root.js";
import { selfSigned } from "../support/self-signed.js";
import { delayedAddress, delays } from "./lab-network.js";

const here = join(root, "test", "clients");

/** What the lab's programs need that is not in the repository. All but the certificate is made or downloaded once. */
export interface Tools {
  /** A self-signed certificate for this machine's addresses, and its key: paths of PEM files. */
  readonly cert: string;
  readonly key: string;
  readonly pythonClient: string;
  /** The folder of the programs in Go. */
  programs(): string;
  pythonPackages(): string;
  javaClassPath(): string;
  close(): void;
}

/** Gives the tools. Each is got when it is first asked for. Throws an Error that says what is missing. */
export function openTools(): Tools {
  const folder = mkdtempSync(join(tmpdir(), "lab-"));
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const pair = selfSigned(["localhost", "127.0.0.1", ...delays.map(delayedAddress)]);
  writeFileSync(cert, pair.cert);
  writeFileSync(key, pair.key);
  return {
    cert,
    key,
    pythonClient: join(here, "python", "grpcio_client.py"),
    programs: () => builtFrom("lab-go", join(here, "go"), buildClientsInGo),
    pythonPackages: () => builtFrom("lab-python", join(here, "python"), fetchPython),
    javaClassPath: () => join(builtFrom("lab-java", join(here, "java"), buildJava), "*"),
    close: () => rmSync(folder, { recursive: true }),
  };
}

function buildClientsInGo(folder: string): void {
  process.stderr.write("lab: building the clients in Go (once)\n");
  buildGo(join(here, "go"), folder);
}

function fetchPython(folder: string): void {
  process.stderr.write("lab: fetching grpcio (once)\n");
  const only = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-compile"];
  const requirements = join(here, "python", "requirements.txt");
  runTool("python3", ["-m", "pip", "install", "-q", ...only, "-r", requirements, "--target", folder]);
}

function buildJava(folder: string): void {
  process.stderr.write("lab: building the client in Java (once)\n");
  const classes = join(folder, "build");
  mkdirSync(classes);
  const pom = join(here, "java", "pom.xml");
  runTool("mvn", ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${folder}`]);
  runTool("javac", ["-cp", join(folder, "*"), "-d", classes, join(here, "java", "GrpcJavaClient.java")]);
  runTool("jar", ["--create", "--file", join(folder, "client.jar"), "-C", classes, "."]);
  rmSync(classes, { recursive: true });
}
