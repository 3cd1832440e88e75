import { type CommandOption, readArguments } from "../arguments.js";
import type { Command } from "../command.js";
import { installKafkaClient } from "./kafka-client-install.js";
import { createProgress } from "./progress.js";

const options: readonly CommandOption[] = [
  {
    name: "--from-source",
    meaning: "Builds it, whatever is there already: for example after libssl-dev was installed",
    byDefault: "",
  },
];

/** What the client lacks without a library on the machine that built it, with Debian's name of that library. */
const optionalFeatures = [
  { feature: "ssl", what: "TLS", from: "libssl-dev" },
  { feature: "zstd", what: "zstd", from: "libzstd-dev" },
  { feature: "sasl_gssapi", what: "Kerberos", from: "libsasl2-dev" },
];

/** `session-activity install-kafka-client`. */
export const installCommand: Command = {
  name: "install-kafka-client",
  summary: "Makes the Kafka client of this project work where its install script did not",
  help: {
    usage: "[options]",
    about: `Makes the native part of the Kafka client load: from the user's cache, fetched, or built from the client's sources.
It downloads no sources. A build needs g++, make and python3, and takes about a minute on two cores.`,
    options,
    examples: [
      { does: "After npm left out the client's install script", line: "session-activity install-kafka-client" },
      { does: "After libssl-dev was installed", line: "session-activity install-kafka-client --from-source" },
    ],
    endings: { done: "the Kafka client can be loaded", failed: "it cannot" },
  },
  prepare(args) {
    const given = readArguments(args, options);
    return async () => {
      const progress = createProgress(process.stderr);
      const fromSource = given.has("--from-source");
      const { version, origin, features } = await installKafkaClient({ fromSource, progress });
      progress.say(
        `The Kafka client ${version} works on Node ${process.versions.node}. Its native part was ${origin}.`,
      );
      const lacks = optionalFeatures.filter(({ feature }) => !features.includes(feature));
      if (lacks.length === 0) return;
      const list = lacks.map(({ what, from }) => `${what} (${from})`).join(", ");
      progress.say(`Not in it: ${list}. If you need one, install that library, and run this again with --from-source.`);
    };
  },
};
