import {
  clone,
  create,
  createFileRegistry,
  type MessageInitShape,
  setExtension,
  type UnknownField,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  file_google_protobuf_descriptor,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { AccountService, file_example_account_v1_account } from "../../gen/example/account/v1/account_pb.js";
import { ActivitySchema, activity, file_sessionactivity_v1_options } from "../../gen/sessionactivity/v1/options_pb.js";

type Declaration = MessageInitShape<typeof ActivitySchema> | { readonly foreign: UnknownField };

/** The number of our option. It never changes. */
export const optionNumber = 51_733;

/**
 * The account service as a generator makes it of a schema that declares these activities, and no others. All descriptors are
 * copies, those of the options, too.
 */
export function declaringAccount(
  declarations: Partial<Record<keyof typeof AccountService.method, Declaration>>,
): typeof AccountService {
  const file = clone(FileDescriptorProtoSchema, file_example_account_v1_account.proto);
  for (const method of file.service[0]?.method ?? []) {
    const name = method.name.replace(/^./, (letter) => letter.toLowerCase()) as keyof typeof AccountService.method;
    const declaration = declarations[name];
    if (declaration === undefined) {
      delete method.options;
      continue;
    }
    method.options = create(MethodOptionsSchema);
    if ("foreign" in declaration) method.options.$unknown = [declaration.foreign];
    else setExtension(method.options, activity, create(ActivitySchema, declaration));
  }
  const others = [file_sessionactivity_v1_options.proto, file_google_protobuf_descriptor.proto];
  const registry = createFileRegistry(file, (name) => others.find((other) => other.name === name));
  return registry.getService(AccountService.typeName) as typeof AccountService;
}
