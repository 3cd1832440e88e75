import { expect, test } from "vitest";
import { isRefusal, reasonOf } from "../../src/cli/database-failure.js";

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
