import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { activity } from "../../gen/sessionactivity/v1/options_pb.js";
import { isOperation } from "./headers.js";

/** What the schema says of a method, by the option `(sessionactivity.v1.activity)`. */
export interface DeclaredActivity {
  /** The operation, word for word. Empty if there is none. */
  readonly operation: string;
  /** The operation if it is well-formed: only then it is sent, and only then it is the action of an event. */
  readonly label: string | undefined;
  /** Whether calls must come with a mark. */
  readonly required: boolean;
}

/** By descriptor, since reading an option takes microseconds. Undefined: the schema says nothing. */
const known = new WeakMap<DescMethod, DeclaredActivity | undefined>();

/** Reads what the schema says of a method. Undefined if it says nothing, as in code generated before the option was set. */
export function declaredActivity(method: DescMethod): DeclaredActivity | undefined {
  const declared = known.get(method);
  if (declared !== undefined || known.has(method)) return declared;
  const read = readActivity(method);
  known.set(method, read);
  return read;
}

function readActivity(method: DescMethod): DeclaredActivity | undefined {
  if (!hasOption(method, activity)) return undefined;
  try {
    const { operation, required } = getOption(method, activity);
    return { operation, label: isOperation(operation) ? operation : undefined, required };
  } catch {
    // Compilers check ours. This one is somebody else's, whose number happens to be the same.
    return undefined;
  }
}
