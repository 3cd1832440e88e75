import type { DescMethod } from "@bufbuild/protobuf";
import type { TroubleLog } from "../base/log.js";
import { declaredActivity } from "../contract/declared-activity.js";
import { procedureOf } from "../contract/procedure.js";
import type { GatewayTrouble } from "./gateway-troubles.js";

/** A method whose calls are marked. */
export interface MarkedMethod {
  readonly procedure: string;
  /** What the mark says. Undefined if the schema declares the method as an activity, and gives it no well-formed operation. */
  readonly operation: string | undefined;
}

/** The methods whose calls a gateway marks: those that it lists, and those that the schema declares as activities. */
export interface MarkedMethods {
  /** Undefined if calls of the method are not marked. */
  find(method: DescMethod): MarkedMethod | undefined;
}

/** Creates the marked methods of one gateway. `listed` has labels by procedure, and wins. */
export function createMarkedMethods(
  listed: ReadonlyMap<string, string>,
  log: TroubleLog<GatewayTrouble>,
): MarkedMethods {
  const known = new WeakMap<DescMethod, MarkedMethod | undefined>();

  function decide(method: DescMethod): MarkedMethod | undefined {
    const procedure = procedureOf(method);
    const label = listed.get(procedure);
    if (label !== undefined) return { procedure, operation: label };
    const declared = declaredActivity(method);
    if (declared === undefined) return undefined;
    if (declared.label === undefined && declared.operation !== "") {
      const message =
        "the operation that the schema gives a method is not valid, and is not sent: it must be 1 to 128 of A-Z a-z 0-9 _ . : / -";
      log.warn("operation_invalid", { procedure }, message);
    }
    return { procedure, operation: declared.label };
  }

  function warnIfNoneIsDeclared({ parent }: DescMethod): void {
    if (listed.size > 0 || parent.methods.some((method) => declaredActivity(method) !== undefined)) return;
    const message =
      "no call of a service is marked: its generated code declares no activity, and there are no operations. Set the option (sessionactivity.v1.activity) and generate the code again, or give operations";
    log.warn("no_operations", { service: parent.typeName }, message);
  }

  return {
    find(method) {
      if (known.has(method)) return known.get(method);
      const marked = decide(method);
      if (marked === undefined) warnIfNoneIsDeclared(method);
      known.set(method, marked);
      return marked;
    },
  };
}
