import { expect, it } from "vitest";
import { pointsBy, single } from "../../src/telemetry/instrument.js";
import { prometheusText, targetInfoText } from "../../src/telemetry/prometheus-text.js";

const described = { name: "a.b", unit: "s", description: "one" };

it("writes each kind with its type, and what has no value not at all", () => {
  const instruments = [
    single<number>("counter", described, (value) => value),
    single<number>("gauge", { ...described, name: "a.c" }, (value) => value / 2),
    single<number>("updown_counter", { ...described, name: "a.d" }, () => undefined),
  ];
  expect(prometheusText(instruments, 3)).toBe(
    "# HELP a_b_total one\n# TYPE a_b_total counter\na_b_total 3\n# HELP a_c one\n# TYPE a_c gauge\na_c 1.5\n",
  );
});

it("escapes what would end a text or a line", () => {
  const odd = 'a"b\\c\nd';
  const instrument = {
    ...single<number>("gauge", { ...described, description: odd }, () => 0),
    read: () => pointsBy("the.label", { [odd]: 1 }),
  };
  expect(prometheusText([instrument], 0)).toBe(
    '# HELP a_b a"b\\\\c\\nd\n# TYPE a_b gauge\na_b{the_label="a\\"b\\\\c\\nd"} 1\n',
  );
});

it("says which process it is, in one series", () => {
  expect(targetInfoText({ "service.name": 'a"b', "service.instance.id": "pod-1" })).toBe(
    '# HELP target_info Target metadata\n# TYPE target_info gauge\ntarget_info{service_name="a\\"b",service_instance_id="pod-1"} 1\n',
  );
});
