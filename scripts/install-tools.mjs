// Installs the programs that `npm run test:kafka` and `npm run test:edge` use, where they are missing, this is Debian, and we are
// root. Otherwise it does nothing: the tests that need one say so.
import { spawnSync } from "node:child_process";

/** Programs, the option at which each answers, and the Debian packages that hold them. */
const tools = [
  ["java", "-version", ["openjdk-17-jre-headless"]],
  ["mvn", "-version", ["maven"]],
  ["kcat", "-V", ["kcat"]],
  ["protoc", "--version", ["protobuf-compiler"]],
  ["openssl", "version", ["openssl"]],
  ["cc", "--version", ["gcc", "libc6-dev"]],
  ["nginx", "-v", ["nginx"]],
  // For Envoy and Traefik, which Debian does not have.
  ["python3", "-mpip", ["python3-pip"]],
];

function has(command, option) {
  return spawnSync(command, [option], { stdio: "ignore" }).status === 0;
}

function apt(...args) {
  return spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}

function install(packages) {
  return apt("install", "-y", "--no-install-recommends", ...packages);
}

const missing = tools.filter(([command, option]) => !has(command, option)).flatMap(([, , packages]) => packages);
if (missing.length > 0 && process.getuid?.() === 0 && has("apt-get", "--version")) {
  // The lists of packages may be missing or old.
  if (!install(missing) && apt("update")) install(missing);
}
