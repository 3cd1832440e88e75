import { Code } from "@connectrpc/connect";
import { expect, it } from "vitest";
import { type Completion, createCompletionLatch } from "../../src/outcome/completion.js";
import { until } from "../support/until.js";

function latch(settleTimeoutMs = 60_000) {
  const ends: Completion[] = [];
  return { ends, latch: createCompletionLatch(settleTimeoutMs, { ended: (end) => void ends.push(end) }) };
}

it("waits for both ends, in any order, and tells the handler's only where it differs", () => {
  const first = latch();
  first.latch.callerReceived(0, 5, false);
  expect(first.ends).toEqual([]);
  first.latch.handlerFinished();
  expect(first.ends).toEqual([{ status: "OK", handlerStatus: "", at: 5, inferred: false }]);
  const second = latch();
  second.latch.handlerFinished();
  second.latch.callerLeft(Code.DeadlineExceeded, 7, false);
  expect(second.ends).toEqual([{ status: "DEADLINE_EXCEEDED", handlerStatus: "OK", at: 7, inferred: false }]);
});

it("lets the first word on each end stand, and ends once", () => {
  const { latch: one, ends } = latch();
  one.handlerThrew(Code.NotFound, false);
  one.handlerFinished();
  one.callerLeft(Code.Canceled, 1, false);
  one.callerReceived(0, 2, false);
  one.abandon();
  expect(ends).toEqual([{ status: "CANCELLED", handlerStatus: "NOT_FOUND", at: 1, inferred: false }]);
});

it("takes the abort for what stopped the handler only where the caller left", () => {
  const left = latch();
  left.latch.handlerThrew(Code.Internal, true);
  left.latch.callerLeft(Code.DeadlineExceeded, 1, false);
  expect(left.ends[0]).toMatchObject({ handlerStatus: "CANCELLED" });
  const stayed = latch();
  stayed.latch.handlerThrew(Code.Internal, true);
  stayed.latch.callerReceived(Code.Internal, 1, false);
  expect(stayed.ends[0]).toMatchObject({ status: "INTERNAL", handlerStatus: "" });
});

it("waits for the handler no longer than the settle timeout", async () => {
  const { latch: one, ends } = latch(20);
  one.callerLeft(Code.Canceled, 3, false);
  await until(() => ends.length === 1);
  expect(ends).toEqual([{ status: "CANCELLED", handlerStatus: "UNSETTLED", at: 3, inferred: false }]);
  one.handlerFinished();
  expect(ends).toHaveLength(1);
});

it("says UNSETTLED for what is not known when it is abandoned", () => {
  const nothing = latch();
  nothing.latch.abandon();
  expect(nothing.ends[0]).toMatchObject({ status: "UNSETTLED", handlerStatus: "" });
  const handlerOnly = latch();
  handlerOnly.latch.handlerFinished();
  handlerOnly.latch.abandon();
  expect(handlerOnly.ends[0]).toMatchObject({ status: "UNSETTLED", handlerStatus: "OK" });
});
