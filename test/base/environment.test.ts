import { describe, expect, it, vi } from "vitest";
import {
  type Environment,
  environmentOption,
  findUnknown,
  onTopOf,
  onTopOfEnvironment,
  type Problems,
  readVariables,
  refuse,
  variablesOf,
} from "../../src/base/environment.js";
import { flag, group, type OptionTable, readOptions, text, wholeNumber } from "../../src/base/options.js";
import { workerVariables } from "../../src/cli/worker-options.js";
import { consumerVariables, trackingVariables } from "../../src/kafka/environment/kafka-environment.js";
import { refusalOf } from "../support/refusal.js";

const table: OptionTable = {
  name: text({ meaning: "", variable: "NAME_OF_IT" }),
  loud: flag({ meaning: "", variable: "LOUD" }),
  password: text({ meaning: "", variable: "PASSWORD", secret: true }),
  callback: text({ meaning: "" }),
  health: group(
    {
      port: wholeNumber({ meaning: "", unit: "a port", byDefault: 1, variable: "HEALTH_PORT" }),
      host: text({ meaning: "", variable: "HEALTH_HOST" }),
    },
    { meaning: "" },
  ),
};
const variables = variablesOf("OUR_", table);

function read(env: Environment): unknown {
  const problems: Problems = new Map();
  const given = readVariables(variables, env, problems);
  findUnknown("OUR_", variables, env, problems);
  refuse(problems, "it");
  return given;
}

describe("variables", () => {
  it("are those of a table, and of the groups in it", () => {
    expect(variables.map(({ name, path }) => [name, path.join(".")])).toEqual([
      ["OUR_NAME_OF_IT", "name"],
      ["OUR_LOUD", "loud"],
      ["OUR_PASSWORD", "password"],
      ["OUR_HEALTH_PORT", "health.port"],
      ["OUR_HEALTH_HOST", "health.host"],
    ]);
  });

  it("become options, without the spaces around them, except a secret's", () => {
    const env = {
      OUR_NAME_OF_IT: " a ",
      OUR_LOUD: "true",
      OUR_PASSWORD: " p ",
      OUR_HEALTH_PORT: "80",
      OUR_HEALTH_HOST: "h",
    };
    expect(read(env)).toEqual({ name: "a", loud: true, password: " p ", health: { port: 80, host: "h" } });
    expect(read({ OUR_NAME_OF_IT: "", OUR_LOUD: "  ", OUR_OTHER: "", OTHER: "x" })).toEqual({});
  });

  it("that are wrong are told all in one error, and what is a secret is not told", () => {
    const env = {
      OUR_LOUD: "yes",
      OUR_PASSWORD: "hunter2\u0000",
      OUR_LOUDER: "hunter2",
      our_name_of_it: "hunter2",
      OUR_X: "hunter2",
    };
    expect(refusalOf(() => read(env))).toMatchObject({
      message: [
        "The environment does not configure it:",
        '- OUR_LOUD is "yes", expected true or false',
        "- OUR_PASSWORD is a secret, expected a text that is not empty",
        "- OUR_LOUDER is unknown, did you mean OUR_LOUD?",
        "- our_name_of_it is unknown, did you mean OUR_NAME_OF_IT?",
        "- OUR_X is unknown",
      ].join("\n"),
      code: "ERR_ENVIRONMENT_INVALID",
      option: "OUR_LOUD",
      expected: "true or false",
      received: '"yes"',
    });
    expect(refusalOf(() => read({ OUR_LOUDER: "1" }))).toMatchObject({ expected: "OUR_LOUD", received: "unknown" });
  });
});

describe("what a platform sets is ignored", () => {
  it("for a Service whose port has the name of a variable of ours", () => {
    // The Service is called our-health.
    const env = {
      OUR_HEALTH_PORT: "tcp://10.0.0.1:80",
      OUR_HEALTH_SERVICE_HOST: "10.0.0.1",
      OUR_HEALTH_SERVICE_PORT: "80",
      OUR_HEALTH_SERVICE_PORT_HTTP: "80",
      OUR_HEALTH_PORT_80_TCP: "tcp://10.0.0.1:80",
      OUR_HEALTH_PORT_80_TCP_ADDR: "10.0.0.1",
    };
    expect(read(env)).toEqual({});
  });

  it.each(["tcp://10.0.0.1:9092", "udp://[fd00::1]:53", "sctp://10.0.0.1:1"])(
    "for an unknown port that is %s",
    (address) => {
      expect(read({ OUR_KAFKA_PORT: address })).toEqual({});
    },
  );

  it.each([
    { OUR_HEALTH_PORT: "http://10.0.0.1:80" },
    { OUR_KAFKA: "tcp://10.0.0.1:9092" },
    { OUR_KAFKA_PORT: "9092" },
    { OUR_KAFKA_NAME: "/a/b" },
    { OUR_KAFKA_SERVICE_HOSTS: "a" },
  ])("but not what only looks like it: %o", (env) => {
    expect(refusalOf(() => read(env)).option).toBe(Object.keys(env)[0]);
  });

  it("never by the name of one of ours, unless it is a port with an address", () => {
    const all = [...trackingVariables, ...consumerVariables, ...workerVariables];
    for (const variable of all) {
      const problems: Problems = new Map();
      const given = readVariables([variable], { [variable.name]: "tcp://10.0.0.1:9092" }, problems);
      const isTaken = problems.size > 0 || Object.keys(given).length > 0;
      expect([variable.name, isTaken]).toEqual([variable.name, !variable.name.endsWith("_PORT")]);
    }
  });
});

describe("options on top of others", () => {
  it("win, name by name in groups, and undefined says nothing", () => {
    const beneath = { a: 1, b: 2, kafka: { brokers: "env:1", properties: { "linger.ms": 5, "sasl.password": "p" } } };
    const options = { a: undefined, b: 3, kafka: { brokers: undefined, topic: "t", properties: { "linger.ms": 9 } } };
    expect(onTopOf(beneath, options)).toEqual({
      a: 1,
      b: 3,
      kafka: { brokers: "env:1", topic: "t", properties: { "linger.ms": 9, "sasl.password": "p" } },
    });
  });

  it.each([
    ["without a prototype", () => Object.assign(Object.create(null), { topic: "t" })],
    ["frozen", () => Object.freeze({ topic: "t" })],
    [
      "of a class with getters",
      () =>
        new (class {
          get topic(): string {
            return "t";
          }
        })(),
    ],
  ])("are merged if a group is an object %s", (_, make) => {
    expect(onTopOf({ kafka: { brokers: "env:1" } }, { kafka: make() })).toEqual({
      kafka: { brokers: "env:1", topic: "t" },
    });
  });

  it("replace what is no group", () => {
    const list = ["a"];
    expect(onTopOf({ required: ["b"], kafka: { a: 1 } }, { required: list, kafka: "h:1" })).toEqual({
      required: list,
      kafka: "h:1",
    });
    const date = new Date();
    expect(onTopOf({ at: { a: 1 } }, { at: date }).at).toBe(date);
  });

  it("keep a name such as __proto__ a name", () => {
    const merged = onTopOf({ a: 1 }, JSON.parse('{ "__proto__": { "service": "x" } }'));
    expect(Object.hasOwn(merged, "__proto__")).toBe(true);
    expect("service" in merged).toBe(false);
  });

  it("keep an undefined property that nothing stands beneath, so that it can be refused", () => {
    expect(Object.keys(onTopOf({}, { "sasl.password": undefined }))).toEqual(["sasl.password"]);
  });
});

describe("the option env", () => {
  const readEnv = (env: Environment): object => ({ name: env["NAME"] ?? "none", other: 1 });

  it("is the process's environment by default, may be another one, and false for none", () => {
    vi.stubEnv("NAME", "process");
    expect(onTopOfEnvironment({ a: 1 }, readEnv)).toEqual({ a: 1, name: "process", other: 1 });
    expect(onTopOfEnvironment(undefined, readEnv)).toEqual({ name: "process", other: 1 });
    vi.unstubAllEnvs();
    expect(onTopOfEnvironment({ a: 1, env: { NAME: "given" } }, readEnv)).toEqual({ a: 1, name: "given", other: 1 });
    expect(onTopOfEnvironment({ name: "code", env: { NAME: "given" } }, readEnv)).toEqual({ name: "code", other: 1 });
    const never = vi.fn(readEnv);
    expect(onTopOfEnvironment({ a: 1, env: false }, never)).toEqual({ a: 1, env: false });
    expect(never).not.toHaveBeenCalled();
  });

  it.each([true, null, "hunter2", ["hunter2"], { PORT: 80 }, new Map()])("is not %o", (env) => {
    const refusal = refusalOf(() => onTopOfEnvironment({ env }, readEnv));
    expect(refusal).toMatchObject({ code: "ERR_OPTION_INVALID", option: "env" });
    expect(refusal.message).toMatch(/^env must be an object of variables such as process.env, or false, got/);
    expect(refusal.message).not.toContain("hunter2");
    expect(environmentOption.read(env)).toBeUndefined();
  });

  it.each([null, "text", ["a"], Promise.resolve()])("is not asked for if the options are %o", (given) => {
    const never = vi.fn(readEnv);
    expect(onTopOfEnvironment(given, never)).toBe(given);
    expect(never).not.toHaveBeenCalled();
  });
});

describe("what is missing", () => {
  const options = {
    a: { ...text({ meaning: "A text" }), required: true as const, instead: "or the variable A" },
    env: environmentOption,
  };

  it.each([
    [{}, /^a must be given, .*, or the variable A$/],
    [{ env: false }, /^a must be given, [^,]*$/],
  ])("is looked for in variables unless they are ignored: %j", (given, message) => {
    expect(() =>
      readOptions(
        "test",
        options,
        onTopOfEnvironment(given, () => ({})),
      ),
    ).toThrow(message);
  });
});
