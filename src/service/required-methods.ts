import type { DescMethod } from "@bufbuild/protobuf";
import { wrongOption } from "../base/option-error.js";
import { declaredActivity } from "../contract/declared-activity.js";
import { procedureOf } from "../contract/procedure.js";

/** The methods whose calls must come with a mark: those that the service lists, and those of which the schema says so. */
export interface RequiredMethods {
  /**
   * Takes a method that the service registers, so that its calls are known by their path, before Connect knows their method.
   * Throws an `OptionError` if the schema gives it an operation that no event can hold.
   */
  register(method: DescMethod): void;
  /** Whether calls of the method must come with a mark. */
  has(method: DescMethod): boolean;
  /** Whether the path ends with the procedure of such a method. An adapter may serve it under a prefix. */
  hasPath(url: string): boolean;
}

/** Creates the required methods of one service. `listed` has their procedures. */
export function createRequiredMethods(listed: ReadonlySet<string>): RequiredMethods {
  const procedures = new Set(listed);

  function isDeclared(method: DescMethod): boolean {
    if (declaredActivity(method)?.required !== true) return false;
    // Whoever wires by hand registers nothing: from the first call on, the path is known all the same.
    procedures.add(procedureOf(method));
    return true;
  }

  return {
    register(method) {
      checkOperation(method);
      isDeclared(method);
    },
    has: (method) => isDeclared(method) || (listed.size > 0 && listed.has(procedureOf(method))),
    hasPath(url) {
      if (procedures.size === 0) return false;
      const query = url.indexOf("?");
      const path = query < 0 ? url : url.slice(0, query);
      return procedures.has(path) || procedures.has(path.slice(path.lastIndexOf("/", path.lastIndexOf("/") - 1)));
    },
  };
}

function checkOperation(method: DescMethod): void {
  const declared = declaredActivity(method);
  if (declared === undefined || declared.operation === "" || declared.label !== undefined) return;
  throw wrongOption(
    `(sessionactivity.v1.activity).operation of ${procedureOf(method)}`,
    "1 to 128 of A-Z a-z 0-9 _ . : / -",
    declared.operation,
    "change it in the schema, and generate the code again",
  );
}
