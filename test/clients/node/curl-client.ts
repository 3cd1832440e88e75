// Makes unary calls over the Connect protocol with the program `curl`, one process for each. curl ends at its deadline by
// itself (--max-time); to cancel, its process is killed.
import { spawn } from "node:child_process";
import { Code } from "@connectrpc/connect";
import type { Case } from "../case.js";
import { runCases } from "./run-cases.js";

/** curl's exit code when --max-time is over. */
const timedOut = 28;

await runCases(
  (one) =>
    new Promise((resolve) => {
      const { cancelAfterMs = 0 } = one;
      const child = spawn("curl", argumentsFor(one), { stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      let errors = "";
      let cancelled = false;
      child.stdout.on("data", (chunk) => (output += String(chunk)));
      child.stderr.on("data", (chunk) => (errors += String(chunk)));
      const cancel =
        cancelAfterMs > 0
          ? setTimeout(() => {
              cancelled = true;
              child.kill("SIGTERM");
            }, cancelAfterMs)
          : undefined;
      child.on("close", (exit, signal) => {
        clearTimeout(cancel);
        // A kill that comes too late does nothing.
        if (cancelled && signal !== null) resolve({ code: Code.Canceled });
        else if (exit === timedOut) resolve({ code: Code.DeadlineExceeded });
        else if (exit === 0) resolve({ code: codeOf(output) });
        else resolve({ code: -1, message: `exit ${exit} ${errors}`.trim() });
      });
    }),
);

function argumentsFor({ http, tls, target, path, how, deadlineMs = 0, headers }: Case): string[] {
  const version = http === "1.1" ? "--http1.1" : tls ? "--http2" : "--http2-prior-knowledge";
  const all: Record<string, string> = {
    ...headers,
    ...(how !== "get" && { "content-type": "application/proto", "connect-protocol-version": "1" }),
    ...(deadlineMs > 0 && { "connect-timeout-ms": String(deadlineMs) }),
  };
  return [
    ...["-sS", "-k", version, ...(how === "get" ? [] : ["--data-binary", ""]), "-o", "-", "-w", "\n%{http_code}"],
    ...(deadlineMs > 0 ? ["--max-time", (deadlineMs / 1_000).toFixed(3)] : []),
    ...Object.entries(all).flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
    `${tls ? "https" : "http"}://${target}${path}${how === "get" ? "?connect=v1&encoding=proto&message=" : ""}`,
  ];
}

/** What a caller that knows the Connect protocol makes of the answer. */
function codeOf(output: string): number {
  const lines = output.split("\n");
  if (lines.at(-1) === "200") return 0;
  const code = /"code":"(\w+)"/.exec(output)?.[1];
  const name = code?.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
  const number = Object.entries(Code).find(([one]) => one === name)?.[1];
  return typeof number === "number" ? number : -1;
}
