// Gives each folder here what its tests import: its own packages, this package as npm would publish it, and the code generated
// for the example's account service. The caller has built this package.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { installPackages } from "../../scripts/packages.mjs";
import { addExampleTo, pack, unpackInto } from "../../scripts/packed-package.mjs";
import { prepareWorkspaces } from "./workspaces/prepare-workspaces.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

const tarball = pack("frameworks");
for (const framework of ["express", "fastify", "next"]) {
  const folder = join(here, framework);
  installPackages(folder);
  unpackInto(folder, tarball);
  addExampleTo(folder);
}

installPackages(join(here, "workspaces"));
prepareWorkspaces(root, join(root, ".cache", "workspaces"), tarball);
