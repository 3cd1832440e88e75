import { Code, ConnectError } from "@connectrpc/connect";
import { accountClient } from "../support/account-server.js";
import { type Program, runProgram } from "../support/program.js";

/** A call as curl would make it. Resolves to its code. */
export function changePassword(
  port: number,
  httpVersion: "1.1" | "2",
  headers: Record<string, string>,
): Promise<string> {
  return accountClient({ baseUrl: `http://127.0.0.1:${port}` }, "connect", httpVersion)
    .changePassword({ oldPassword: "guess" }, { headers })
    .then(
      () => "OK",
      (error: unknown) => Code[ConnectError.from(error).code] ?? "",
    );
}

/** Runs an example in a process of its own, until the test is over. */
export function run(script: string, env: Record<string, string>, cwd?: string): Program {
  return runProgram(`examples/${script}`, [], env, cwd);
}
