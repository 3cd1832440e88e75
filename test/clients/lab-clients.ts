import { join } from "node:path";
import type { Case } from "./case.js";
import type { Tools } from "./lab-tools.js";

/** One way in which a client talks to a server. */
export type Wire = Pick<Case, "http" | "protocol">;

/** A client under test: its program, and what it can do. */
export interface LabClient {
  readonly wires: readonly Wire[];
  /** The ways in which it leaves. */
  readonly hows: readonly string[];
  /** Only unary calls, each over a connection of its own. */
  readonly isSimple?: true;
  command(tools: Tools): readonly string[];
}

const grpc: readonly Wire[] = [{ http: "2", protocol: "grpc" }];
const allConnect: readonly Wire[] = [
  { http: "1.1", protocol: "connect" },
  { http: "2", protocol: "connect" },
  ...grpc,
  { http: "1.1", protocol: "grpc-web" },
  { http: "2", protocol: "grpc-web" },
];
const plainConnect: readonly Wire[] = [
  { http: "1.1", protocol: "connect" },
  { http: "2", protocol: "connect" },
];

function node(name: string): (tools: Tools) => readonly string[] {
  return () => [process.execPath, join(import.meta.dirname, "node", `${name}-client.js`)];
}

function go(name: string): (tools: Tools) => readonly string[] {
  return ({ programs }) => [join(programs(), name)];
}

function python(kind: string): (tools: Tools) => readonly string[] {
  return (tools) => ["env", `PYTHONPATH=${tools.pythonPackages()}`, "python3", tools.pythonClient, kind, tools.cert];
}

/** All clients, by name. */
export const labClients: Readonly<Record<string, LabClient>> = {
  "connect-node": {
    wires: allConnect,
    hows: ["abort", "abort", "abort-error", "abort-text"],
    command: node("connect-node"),
  },
  "grpc-js": { wires: grpc, hows: ["cancel"], command: node("grpc-js") },
  http2: { wires: grpc, hows: ["close-0", "close-8", "destroy", "cut"], command: node("http2") },
  curl: { wires: plainConnect, hows: ["end"], isSimple: true, command: node("curl") },
  "grpc-go": { wires: grpc, hows: ["cancel"], command: go("grpc-go") },
  "connect-go": { wires: allConnect, hows: ["cancel"], command: go("connect-go") },
  grpcio: { wires: grpc, hows: ["cancel"], command: python("sync") },
  "grpcio-aio": { wires: grpc, hows: ["cancel"], command: python("aio") },
  "grpc-java": {
    wires: grpc,
    hows: ["cancel"],
    command: (tools) => ["java", "-XX:TieredStopAtLevel=1", "-cp", tools.javaClassPath(), "GrpcJavaClient", tools.cert],
  },
};
