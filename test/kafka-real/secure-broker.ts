import kafkajs from "kafkajs";
import { until } from "../support/until.js";
import { type Certificates, makeCertificates } from "./certificates.js";
import { type Cluster, startCluster } from "./cluster.js";

/**
 * - `TLS`: server verification only; everybody may do everything
 * - `MTLS`: the client's certificate says who it is
 * - `SASL`: SCRAM-SHA-512 and PLAIN over TLS
 * - `OAUTH`: OAUTHBEARER over TLS, with unsecured tokens; no session outlives its token
 */
export type Listener = "TLS" | "MTLS" | "SASL" | "OAUTH";

/** What an access control list can allow, on what. */
export type Right = readonly [operation: "read" | "write" | "describe", on: "topic" | "group", name: string];

/** One broker that speaks TLS, and lets nobody but its administrator do what no ACL allows. */
export interface SecureBroker {
  readonly cluster: Cluster;
  readonly certificates: Certificates;
  /** Passwords by user, for PLAIN and SCRAM alike. */
  readonly passwords: Readonly<Record<string, string>>;
  /** The address of a listener. */
  address(listener: Listener): string;
  allow(user: string, ...rights: readonly Right[]): Promise<void>;
  /** Takes back all that a user was allowed. */
  disallow(user: string): Promise<void>;
  /** Deletes a user, as far as SCRAM goes. What it was allowed stays. */
  deleteUser(user: string): Promise<void>;
  /** Makes it again, with its password. */
  restoreUser(user: string): Promise<void>;
  close(): Promise<void>;
}

// It is CommonJS, and an import does not see these names.
const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const operations = {
  read: AclOperationTypes.READ,
  write: AclOperationTypes.WRITE,
  describe: AclOperationTypes.DESCRIBE,
};
const resources = { topic: AclResourceTypes.TOPIC, group: AclResourceTypes.GROUP };
const passwords = { writer: "w-secret", reader: "r-secret", mixed: "m-secret", nobody: "n-secret" };
const passwordOf = (user: string): string => new Map(Object.entries(passwords)).get(user) ?? "";
const allOf = (user: string) => ({
  principal: `User:${user}`,
  permissionType: AclPermissionTypes.ANY,
  operation: AclOperationTypes.ANY,
  resourceType: AclResourceTypes.ANY,
  resourcePatternType: ResourcePatternTypes.ANY,
});
const security = "org.apache.kafka.common.security";

/**
 * Starts the broker. It is always one of our own, also with `KAFKA_BROKERS` set: no other cluster has these listeners and
 * users. With `reauthMs`, who came by SCRAM logs in again that often, and is cut off if that fails.
 */
export async function startSecureBroker({ reauthMs }: { readonly reauthMs?: number } = {}): Promise<SecureBroker> {
  const certificates = makeCertificates();
  const users = Object.entries(passwords);
  const plainUsers = users.map(([name, password]) => `user_${name}="${password}"`).join(" ");
  const cluster = await startCluster(1, {
    listeners: { TLS: "SSL", MTLS: "SSL", SASL: "SASL_SSL", OAUTH: "SASL_SSL" },
    format: users.flatMap(([name, password]) => ["--add-scram", `SCRAM-SHA-512=[name=${name},password=${password}]`]),
    properties: {
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      // Who comes over the plain listener, as the broker itself and the tests' admin do, or over TLS without a certificate.
      "super.users": "User:ANONYMOUS",
      "ssl.keystore.type": "PEM",
      "ssl.keystore.location": certificates.broker,
      "ssl.truststore.type": "PEM",
      "ssl.truststore.location": certificates.ca,
      "listener.name.mtls.ssl.client.auth": "required",
      "listener.name.mtls.ssl.principal.mapping.rules": "RULE:^CN=(.*)$/$1/",
      "listener.name.sasl.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
      "listener.name.sasl.plain.sasl.jaas.config": `${security}.plain.PlainLoginModule required ${plainUsers};`,
      "listener.name.sasl.scram-sha-512.sasl.jaas.config": `${security}.scram.ScramLoginModule required;`,
      ...(reauthMs !== undefined && { "listener.name.sasl.scram-sha-512.connections.max.reauth.ms": reauthMs }),
      "listener.name.oauth.sasl.enabled.mechanisms": "OAUTHBEARER",
      "listener.name.oauth.oauthbearer.sasl.jaas.config": `${security}.oauthbearer.OAuthBearerLoginModule required;`,
      // A client that does not log in again before its token has expired is cut off.
      "listener.name.oauth.oauthbearer.connections.max.reauth.ms": 3_600_000,
    },
  }).catch((error: unknown) => {
    certificates.delete();
    throw error;
  });
  const { admin } = cluster;

  /** The broker hears of a change some moments after the controller has made it. */
  async function untilRights(user: string, hold: (names: ReadonlySet<string>) => boolean): Promise<void> {
    const changed = async (): Promise<boolean> => {
      const { resources: found } = await admin.client.describeAcls(allOf(user));
      return hold(new Set(found.map(({ resourceName }) => resourceName)));
    };
    await until(changed, () => `the rights of ${user}`);
  }

  async function alterUser(user: string, ...change: readonly string[]): Promise<void> {
    const on = ["--bootstrap-server", cluster.brokers, "--alter", "--entity-type", "users", "--entity-name", user];
    await cluster.tool("org.apache.kafka.tools.ConfigCommand", [...on, ...change]);
  }

  return {
    cluster,
    certificates,
    passwords,
    address: (listener) => `127.0.0.1:${cluster.ports[listener]}`,
    async allow(user, ...rights) {
      const acl = rights.map(([operation, on, resourceName]) => ({
        principal: `User:${user}`,
        host: "*",
        permissionType: AclPermissionTypes.ALLOW,
        operation: operations[operation],
        resourceType: resources[on],
        resourceName,
        resourcePatternType: ResourcePatternTypes.LITERAL,
      }));
      await admin.client.createAcls({ acl });
      await untilRights(user, (names) => rights.every(([, , name]) => names.has(name)));
    },
    async disallow(user) {
      await admin.client.deleteAcls({ filters: [allOf(user)] });
      await untilRights(user, (names) => names.size === 0);
    },
    deleteUser: (user) => alterUser(user, "--delete-config", "SCRAM-SHA-512"),
    restoreUser: (user) => alterUser(user, "--add-config", `SCRAM-SHA-512=[password=${passwordOf(user)}]`),
    async close() {
      await cluster.close();
      certificates.delete();
    },
  };
}
