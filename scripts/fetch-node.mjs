// Fetches the newest Node of a major version, if it is not in the cache: `node scripts/fetch-node.mjs 22`. Its last line is the
// path of the binary.
import { fetchNode } from "./node-binary.mjs";

console.log(fetchNode(Number(process.argv[2])));
