import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cachePath, fillOnce } from "../support/cached-folder.js";
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
    programs: () => filled("lab-go", sourcesIn("go"), buildGo),
    pythonPackages: () => filled("lab-python", sourcesIn("python"), fetchPython),
    javaClassPath: () => join(filled("lab-java", sourcesIn("java"), buildJava), "*"),
    close: () => rmSync(folder, { recursive: true }),
  };
}

function filled(name: string, content: Buffer, fill: (folder: string) => void): string {
  const folder = cachePath(name, content);
  fillOnce(folder, fill);
  return folder;
}

function buildGo(folder: string): void {
  process.stderr.write("lab: building the clients in Go (once)\n");
  const env = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" };
  run("go", ["build", "-trimpath", "-o", `${folder}/`, "./..."], { cwd: join(here, "go"), env });
}

function fetchPython(folder: string): void {
  process.stderr.write("lab: fetching grpcio (once)\n");
  const only = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-compile"];
  const requirements = join(here, "python", "requirements.txt");
  run("python3", ["-m", "pip", "install", "-q", ...only, "-r", requirements, "--target", folder]);
}

function buildJava(folder: string): void {
  process.stderr.write("lab: building the client in Java (once)\n");
  const classes = join(folder, "build");
  mkdirSync(classes);
  const pom = join(here, "java", "pom.xml");
  run("mvn", ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${folder}`]);
  run("javac", ["-cp", join(folder, "*"), "-d", classes, join(here, "java", "GrpcJavaClient.java")]);
  run("jar", ["--create", "--file", join(folder, "client.jar"), "-C", classes, "."]);
  rmSync(classes, { recursive: true });
}

/** What a folder of sources holds, to tell whether what was made of it is current. */
function sourcesIn(name: string): Buffer {
  const folder = join(here, name);
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).filter((path) => !path.includes("__pycache__"));
  return Buffer.concat(paths.sort().map((path) => readFileSync(path)));
}

const advice: Readonly<Record<string, string>> = {
  go: "install Go 1.26 or newer",
  python3: "install Python 3.11 or newer with pip (on Debian: apt-get install python3-pip)",
  mvn: "install Maven 3.8 or newer (on Debian: apt-get install maven)",
  javac: "install a JDK 17 or newer (on Debian: apt-get install openjdk-17-jdk-headless)",
};

function run(command: string, args: string[], { cwd = root, env = {} }: { cwd?: string; env?: object } = {}): void {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (status === 0) return;
  const hint = error === undefined ? "" : `: ${advice[command] ?? "is it installed?"}`;
  throw new Error(`"${command} ${args[0]}" failed${hint}\n${error ?? ""}${stdout ?? ""}${stderr ?? ""}`);
}
