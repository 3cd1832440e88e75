import { expect, it } from "vitest";
import { resourceOf } from "../../src/cli/worker-resource.js";

const uuid = expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);

it("has a name, and an id that no other process has", () => {
  const one = resourceOf({});
  expect(one).toEqual({ "service.name": "session-activity-history", "service.instance.id": uuid });
  expect(resourceOf({})["service.instance.id"]).not.toBe(one["service.instance.id"]);
});

it("takes what OpenTelemetry's variables say, of the names that it knows", () => {
  const attributes = "service.name=other, service.instance.id=pod%2D1,deployment.environment.name=prod,host.name=h,a";
  expect(resourceOf({ OTEL_RESOURCE_ATTRIBUTES: attributes, OTEL_SERVICE_NAME: "history" })).toEqual({
    "service.name": "history",
    "service.instance.id": "pod-1",
    "deployment.environment.name": "prod",
  });
});

it("leaves out what cannot be read, and cuts what is long", () => {
  const { "service.instance.id": id, "service.version": version } = resourceOf({
    OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=%zz,service.version=${"9".repeat(1_000)}`,
  });
  expect(id).toEqual(uuid);
  expect(version).toHaveLength(128);
});
