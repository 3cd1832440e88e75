import type { DescMethod } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { expect, it } from "vitest";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { declaredActivity } from "../../src/contract/declared-activity.js";
import { declaringAccount, optionNumber } from "../support/declaring-account.js";

const declaredBy = (method: DescMethod) => ({ ...declaredActivity(method) });

it("reads what the example's schema says", () => {
  const { changePassword, deleteAccount, getProfile } = AccountService.method;
  expect(declaredBy(changePassword)).toEqual({
    operation: "change_password",
    label: "change_password",
    required: false,
  });
  expect(declaredBy(deleteAccount)).toEqual({ operation: "delete_account", label: "delete_account", required: true });
  expect(declaredActivity(getProfile)).toBeUndefined();
});

it("reads the copy of the options that came with other generated code", () => {
  const { login, changePassword } = declaringAccount({ login: { operation: "sign_in", required: true } }).method;
  expect(declaredBy(login)).toEqual({ operation: "sign_in", label: "sign_in", required: true });
  expect(declaredActivity(changePassword)).toBeUndefined();
});

it("says so each time, and reads once", () => {
  const { login } = AccountService.method;
  expect(declaredActivity(login)).toBe(declaredActivity(login));
});

it("takes an option with nothing in it as a declaration", () => {
  expect(declaredBy(declaringAccount({ login: {} }).method.login)).toEqual({
    operation: "",
    label: undefined,
    required: false,
  });
});

it.each(["change password", "é", "x".repeat(129), "a\r\nb"])("keeps %j apart from what can be sent", (operation) => {
  const { login } = declaringAccount({ login: { operation } }).method;
  expect(declaredBy(login)).toEqual({ operation, label: undefined, required: false });
});

it.each([
  ["a bool", { wireType: WireType.Varint, data: Uint8Array.of(1) }],
  ["a text", { wireType: WireType.LengthDelimited, data: Uint8Array.of(5, ...Buffer.from("admin")) }],
  ["a fixed32", { wireType: WireType.Bit32, data: Uint8Array.of(1, 2, 3, 4) }],
])("takes an option of somebody else's under the same number for nothing: %s", (_, foreign) => {
  const { login } = declaringAccount({ login: { foreign: { no: optionNumber, ...foreign } } }).method;
  expect(declaredActivity(login)).toBeUndefined();
});
