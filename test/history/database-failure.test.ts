import { expect, test } from "vitest";
import type { FailureClass } from "../../src/base/failure.js";
import { classifyFailure, isRefusal, reasonOf, withDatabaseFailure } from "../../src/history/database-failure.js";

const failure = (code: string | undefined, message: string): Error => Object.assign(new Error(message), { code });

test.each([
  ["a server that is down", failure("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:5432"), false, /ECONNREFUSED 127/],
  ["a name that is not known", failure("ENOTFOUND", "getaddrinfo ENOTFOUND db"), false, /ENOTFOUND db/],
  ["one that starts", failure("57P03", "the database system is starting up"), false, /starting up/],
  ["one that is full", failure("53300", "too many clients already"), false, /too many/],
  ["a connection that was cut", failure(undefined, "Connection terminated unexpectedly"), false, /terminated/],
  ["a deadlock", failure("40P01", "deadlock detected"), false, /deadlock/],
  ["a wrong password", failure("28P01", "password authentication failed"), true, /password/],
  ["no such database", failure("3D000", 'database "x" does not exist'), true, /"x"/],
  ["no rights", failure("42501", "permission denied for database x"), true, /permission/],
  ["a newer history", failure("P0001", "update the package"), true, /update/],
  ["a folder that cannot be made", failure("ENOENT", "no such file or directory, mkdir '/x/y'"), true, /mkdir/],
  ["a folder that is open already", failure("EBUSY", "the folder /x is open already"), true, /\/x/],
  ["a folder that cannot be locked", failure("ENOTSUP", "the folder /x cannot be locked: ENOTSUP"), true, /\/x/],
  ["a folder that is damaged", failure(undefined, "PGlite failed to initialize properly"), true, /initialize/],
  ["an embedded file system's own error", { name: "ErrnoError", errno: 54 }, true, /folder/],
])("%s", (_name, error, refuses, reason) => {
  expect(isRefusal(error)).toBe(refuses);
  expect(reasonOf(error).reason).toMatch(reason);
});

test.each([
  failure("22P02", 'invalid input syntax for type timestamp: "DE"'),
  failure("23505", "Key (session_id)=(DE) already exists"),
  failure("XX000", "unexpected DE"),
  failure(undefined, "whatever DE"),
])("no text that may quote an event is told: %s", (error) => {
  expect(JSON.stringify(reasonOf(error))).not.toContain("DE");
});

const classes: readonly [FailureClass, readonly (readonly [code: string | undefined, message?: string])[]][] = [
  [
    "passing",
    [
      ["08006"],
      ["08P01", "query_wait_timeout"],
      ["08P01", "server login has been failing, try again later"],
      ["25006", "cannot execute INSERT in a read-only transaction"],
      ["40001"],
      ["40P01"],
      ["53100", "No space left on device"],
      ["53300"],
      ["55P03"],
      ["57014"],
      ["57P01"],
      ["57P03"],
      ["58030"],
      ["99999"],
      ["ECONNREFUSED"],
      ["ECONNRESET"],
      ["ENOTFOUND"],
      ["ETIMEDOUT"],
      [undefined, "Connection terminated unexpectedly"],
      [undefined, "timeout exceeded when trying to connect"],
      [undefined, "Query read timeout"],
    ],
  ],
  [
    "permanent",
    [
      ["08P01", "unsupported startup parameter: statement_timeout"],
      ["08P01", "no such database: x"],
      ["0A000"],
      ["28000"],
      ["28P01"],
      ["3D000"],
      ["3F000"],
      ["42501"],
      ["42P01"],
      ["P0001", "the signal history has version 9"],
      ["EACCES"],
      ["SELF_SIGNED_CERT_IN_CHAIN"],
      ["CERT_HAS_EXPIRED"],
      ["ERR_TLS_CERT_ALTNAME_INVALID"],
      ["ERR_INVALID_URL"],
      ["ERR_OPTION_INVALID"],
      [undefined, "The server does not support SSL connections"],
      [undefined, "SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string"],
      [undefined, "the embedded database is closed"],
      [undefined, "Cannot use a pool after calling end on the pool"],
    ],
  ],
  [
    "poison",
    [
      ["22001"],
      ["22021"],
      ["22P02"],
      ["22P05"],
      ["23502"],
      ["23505"],
      ["54000", "index row size exceeds btree version 4 maximum"],
      ["XX000", "invalid memory alloc request size"],
    ],
  ],
];

test.each(
  classes.flatMap(([expected, cases]) => cases.map(([code, message = ""]) => [expected, code, message] as const)),
)("%s: %s %s", (expected, code, message) => {
  const error = failure(code, message);
  expect(classifyFailure(error)).toBe(expected);
  // It stays the same error.
  expect(withDatabaseFailure(error)).toBe(error);
  expect(error).toMatchObject({ failure: expected, message });
});

test("a server's socket that is not there is a server that is down", () => {
  const error = Object.assign(failure("ENOENT", "connect ENOENT /run/.s.PGSQL.5432"), { syscall: "connect" });
  expect(classifyFailure(error)).toBe("passing");
});

test("code that stumbles over a value has found poison", () => {
  expect(
    [new TypeError("x"), new RangeError("Invalid string length"), new SyntaxError("x")].map(classifyFailure),
  ).toEqual(["poison", "poison", "poison"]);
});

test("what an error says itself counts", () => {
  expect(classifyFailure(Object.assign(failure("57014", ""), { failure: "permanent" }))).toBe("permanent");
});

test("what cannot be noted on is the cause of one that can", () => {
  const frozen = Object.freeze(failure("57014", "DE"));
  for (const [thrown, expected] of [
    [frozen, "passing"],
    [{ name: "ErrnoError", errno: 54 }, "permanent"],
    [undefined, "permanent"],
  ] as const) {
    const error = withDatabaseFailure(thrown);
    expect(error).toMatchObject({ failure: expected, cause: thrown });
    expect(error.message).not.toContain("DE");
  }
});
