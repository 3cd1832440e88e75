import type { SessionSigner } from "../../src/index.js";
import { seededRandom } from "../support/random.js";
import type { RawHeader } from "./raw-http1.js";
import { procedures } from "./target.js";

/** One generated call. */
export interface GeneratedCall {
  readonly procedure: string;
  readonly headers: readonly RawHeader[];
  /** The context of a call of the gateway's own; undefined for a stranger's. */
  readonly genuine: string | undefined;
}

/** One call in so many is the gateway's. */
const genuineEvery = 50;
const names = ["x-session-track", "x-session-context", "x-session-operation", "x-session-signature"] as const;

/**
 * Generates calls: mostly a stranger's, of any mixture of session headers, well-formed and not, and now and then one of the
 * gateway's with a context that no other has. A stranger knows everything but the key: also signatures that the gateway
 * made for other marks.
 */
export function createGenerator(seed: number, signer: SessionSigner): { next(): Promise<GeneratedCall> } {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T;
  const stolen: string[] = [];
  let count = 0;

  async function next(): Promise<GeneratedCall> {
    count += 1;
    const procedure = pick([procedures.login, procedures.changePassword]);
    return count % genuineEvery === 0 ? genuineCall(procedure) : { procedure, headers: headers(), genuine: undefined };
  }

  async function genuineCall(procedure: string): Promise<GeneratedCall> {
    const context = `genuine-${count}`;
    const operation = pick(["login", "change_password"]);
    const jws = await signer.sign({ context, operation, procedure });
    stolen[below(20)] = jws;
    const values = ["true", context, operation, jws];
    return { procedure, genuine: context, headers: names.map((name, i) => [name, values[i] ?? ""]) };
  }

  function headers(): RawHeader[] {
    const all = names.flatMap((name) =>
      Array.from({ length: pick([0, 1, 1, 1, 1, 2]) }, (): RawHeader => [spell(name), value(name)]),
    );
    if (below(20) === 0)
      all.push([pick(["connection", "te", "x-session-id", "traceparent"]), pick([...names, "close", "x", "\x01"])]);
    return all.sort(() => random() - 0.5);
  }

  function spell(name: string): string {
    switch (below(12)) {
      case 0:
        return name.replaceAll(/[a-z]/g, (letter) => (below(2) === 0 ? letter.toUpperCase() : letter));
      case 1:
        return pick([`x-${name}`, `${name}-2`, name.replaceAll("-", "_"), below(10) === 0 ? `${name}\0` : `x${name}`]);
      default:
        return name;
    }
  }

  function value(name: string): string {
    if (below(8) === 0) return garbage();
    switch (name) {
      case "x-session-track":
        return pick(["true", "true", "true", "0", "false", "TRUE", "0,true", "true,0", ", ,true", " true ", ""]);
      case "x-session-context":
        return pick([`stranger-${count}`, "c2Vzc2lvbg==", "a, b", "", `s${"x".repeat(below(200))}`]);
      case "x-session-operation":
        return pick(["login", "change_password", "x".repeat(129), "change password", ""]);
      default:
        return signature();
    }
  }

  function signature(): string {
    const known = stolen[below(20)] ?? "e30.e30.c2ln";
    const [head = "", body = "", tail = ""] = known.split(".");
    const none = Buffer.from('{"alg":"none","kid":"gateway","typ":"session-mark+jwt"}').toString("base64url");
    return pick([
      known,
      known,
      `${known}, ${known}`,
      `${none}.${body}.${tail}`,
      `${head}.${body}.`,
      mutate(known),
      "true",
    ]);
  }

  function mutate(text: string): string {
    const at = below(text.length);
    return text.slice(0, at) + pick(["A", "", ".", "\x80", "-_"]) + text.slice(at + 1);
  }

  /** Bytes of all kinds, now and then also such as no header may hold, or more of them than fit. */
  function garbage(): string {
    const kind = below(60);
    if (kind === 0) return "x".repeat(below(80_000));
    const [lowest, kinds] = kind < 10 ? [0, 256] : kind < 30 ? [0xa0, 96] : [0x20, 95];
    return Array.from({ length: below(60) }, () => String.fromCharCode(lowest + below(kinds))).join("");
  }

  return { next };
}
