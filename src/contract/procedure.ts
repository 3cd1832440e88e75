import type { DescMethod } from "@bufbuild/protobuf";

/**
 * The name of a method on the wire, `/package.Service/Method`.
 *
 * Methods are told apart by it and not by their descriptors, of which a process with two copies of the generated code has
 * two.
 */
export function procedureOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
