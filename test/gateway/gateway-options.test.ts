import { describe, expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { gatewaySettings, type SessionGatewayOptions } from "../../src/gateway/gateway-options.js";
import { refusalOf } from "../support/refusal.js";

const { login, changePassword } = AccountService.method;
const session = () => undefined;
const loginName = "/example.account.v1.AccountService/Login";

describe("the gateway's options", () => {
  it("have defaults", () => {
    expect(gatewaySettings({ session, operations: [] })).toEqual({
      session,
      operations: new Map(),
      sign: undefined,
      maxContextBytes: 8_192,
      log: undefined,
    });
  });

  it.each<[string, SessionGatewayOptions["operations"]]>([
    ["a Map", new Map([[login, "login"]])],
    ["an array of pairs", [[login, "login"]]],
    ["a Set of pairs", new Set([[login, "login"]] as const)],
    ["the entries of a Map", new Map([[login, "login"]]).entries()],
  ])("take the operations as %s", (_, operations) => {
    expect(gatewaySettings({ session, operations }).operations).toEqual(new Map([[loginName, "login"]]));
  });

  it("need no operations: the schema has them", () => {
    expect(gatewaySettings({ session }).operations).toEqual(new Map());
  });

  it("take several operations, and of two labels for one method the last", () => {
    const operations = [
      [login, "a"],
      [changePassword, "b"],
      [login, "c"],
    ] as const;
    expect([...gatewaySettings({ session, operations }).operations.values()]).toEqual(["c", "b"]);
  });

  const pairs = "pairs of a method and its label, in a Map or an array";
  const label = `a label for ${loginName} of 1 to 128 of A-Z a-z 0-9 _ . : / -`;
  const aPair = "a pair whose first part is a method, such as AccountService.method.login";
  const wrong: [object, string, string, string?][] = [
    [{ session: undefined }, "session", "session must be given, a function", "MISSING"],
    [{ session: "s" }, "session", "session must be a function, got a text of 1 character"],
    [{ session: Promise.resolve() }, "session", "session must be a function, got a promise"],
    [
      { operations: { login: "login" } },
      "operations",
      `operations must be ${pairs}, got an object: such as [[AccountService.method.login, "login"]]`,
    ],
    [{ operations: "login" }, "operations", `operations must be ${pairs}, got "login"`],
    [{ operations: [login] }, "operations[0]", `operations[0] must be ${aPair}, got an object`],
    [{ operations: new Map([["login", "login"]]) }, "operations[0]", `operations[0] must be ${aPair}, got "login"`],
    [
      {
        operations: [
          [login, "login"],
          ["x", "y"],
        ],
      },
      "operations[1]",
      `operations[1] must be ${aPair}, got "x"`,
    ],
    [{ operations: [[login, "log in"]] }, "operations[0]", `operations[0] must be ${label}, got "log in"`],
    [{ operations: [[login]] }, "operations[0]", `operations[0] must be ${label}, got undefined`],
    [{ sign: () => {} }, "sign", "sign must be a SessionSigner, which createSessionSigner makes, got a function"],
    [
      { sign: "secret" },
      "sign",
      "sign must be a SessionSigner, which createSessionSigner makes, got a text of 6 characters",
    ],
    [
      { maxContextBytes: 0 },
      "maxContextBytes",
      "maxContextBytes must be a whole number of bytes from 1 to 2147483647, got 0",
    ],
    [{ log: true }, "log", "log must be a logger with the methods debug, info, warn and error, or false, got true"],
    [
      { signer: {} },
      "signer",
      "signer is not an option of createSessionGatewayInterceptor: did you mean sign?",
      "UNKNOWN",
    ],
  ];
  it.each(wrong)("refuse %o", (options, option, message, code = "INVALID") => {
    const given = { session, operations: [], ...options };
    expect(refusalOf(() => gatewaySettings(given))).toMatchObject({ message, option, code: `ERR_OPTION_${code}` });
  });
});
