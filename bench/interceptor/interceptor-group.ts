import { toBinary } from "@bufbuild/protobuf";
import { SessionActivityEventSchema } from "connect-session-activity";
import {
  type CheckedTrust,
  formatSpread,
  interleave,
  joinSamples,
  judge,
  ratioOf,
  type Samples,
  spreadOfFigure,
  type Trust,
  type Variant,
} from "../kit/comparison.js";
import type { VersionEnd } from "../kit/compiled-packages.js";
import type { Group, GroupContext } from "../kit/group.js";
import { type PeerProcess, startScript } from "../kit/peer-process.js";
import type { Cell, Table } from "../kit/report.js";
import { typicalEvent } from "../kit/typical-event.js";
import { type CallKind, callKinds, protocols } from "./call-settings.js";
import {
  control,
  floorVariants,
  type InterceptorVariant,
  interceptorVariants,
  none,
  noneAgain,
  passThrough,
} from "./interceptor-variants.js";
import { type Protocol, startLoad } from "./load.js";
import { type FleetParts, type ServerFleet, startFleet } from "./server-fleet.js";

const topic = "session-activities";
/** What the control burns, of the CPU that a call takes. */
const controlShare = 0.05;

/** What is measured under one title: one version, one protocol, one kind of call. */
export interface Setting {
  readonly end: VersionEnd;
  readonly protocol: Protocol;
  readonly kind: CallKind;
}

/** How much is measured. */
interface Effort {
  /** How often the process of the servers is started anew: each is a little faster or slower than the next. */
  readonly generations: number;
  /** How often at most, in settings where it takes more to be precise. */
  readonly mostGenerations: number;
  /** In each generation. */
  readonly rounds: number;
  /** How long a turn of a variant is. */
  readonly turnMs: number;
}

const ends: readonly VersionEnd[] = ["newest", "oldest"];

/** What is found out about a setting before it is measured. It holds for all generations. */
interface Calibration {
  readonly calls: number;
  readonly burnUs: number;
}

const whole: Effort = { generations: 3, mostGenerations: 6, rounds: 6, turnMs: 250 };
/** For what is measured in one setting only. */
const long: Effort = { ...whole, rounds: 15 };
const quick: Effort = { generations: 1, mostGenerations: 1, rounds: 6, turnMs: 200 };

/**
 * How far the bounds of the checks may be from their medians. Only this decides whether a setting is measured again, and not what
 * the checks say: whoever goes on until twins agree finds that they do.
 */
const precision = 0.03;

/** By then, what the calls leave behind fills some gigabytes. */
const roundsPerClearing = 3;

export const interceptorGroup: Group = {
  name: "interceptor",
  what: "a server with the interceptor, against one without and against other interceptors",
  async run(context) {
    const settings = ends.flatMap((end) => settingsOf(end, context.isQuick));
    const measured = await measureSettings(interceptorVariants, settings, context);
    const tables = [...measured].map(([setting, samples]) => tableOf(setting, samples, interceptorVariants));
    return { name: "interceptor", tables, page: ends.map((end) => overview(end, measured)) };
  },
};

export const floorGroup: Group = {
  name: "floor",
  what: "what a call, any interceptor and a record cost at least",
  async run(context) {
    const setting: Setting = { end: "newest", protocol: protocols[0], kind: callKinds[0] };
    const measured = await measureSettings(floorVariants, [setting], context);
    return { name: "floor", tables: [...measured].map(([one, samples]) => tableOf(one, samples, floorVariants)) };
  },
};

function settingsOf(end: VersionEnd, isQuick: boolean): readonly Setting[] {
  if (isQuick) return [{ end, protocol: protocols[0], kind: callKinds[0] }];
  return protocols.flatMap((protocol) => callKinds.map((kind) => ({ end, protocol, kind })));
}

/** Measures all variants in all settings, in a process that is started anew for each generation. */
export async function measureSettings(
  variants: readonly InterceptorVariant[],
  settings: readonly Setting[],
  context: GroupContext,
): Promise<ReadonlyMap<Setting, Samples>> {
  const unhurried = settings.length === 1 ? long : whole;
  const effort = context.isQuick ? quick : unhurried;
  const broker = await startScript<object, string>(new URL("../kit/broker-process.js", import.meta.url), [topic]);
  const load = startLoad();
  try {
    const eventBytes = toBinary(SessionActivityEventSchema, typicalEvent(1)).length;
    const parts: FleetParts = { load, brokers: await broker.ask({}), topic, eventBytes };
    return await measureGenerations(variants, settings, effort, parts, context);
  } finally {
    await Promise.all([load, broker].map((process: Pick<PeerProcess<never, never>, "end">) => process.end()));
  }
}

async function measureGenerations(
  variants: readonly InterceptorVariant[],
  settings: readonly Setting[],
  { generations, mostGenerations, rounds, turnMs }: Effort,
  parts: FleetParts,
  { afterRound, say }: GroupContext,
): Promise<ReadonlyMap<Setting, Samples>> {
  const calibrations = new Map<Setting, Calibration>();
  const measured = new Map<Setting, Samples>();
  for (let generation = 1; generation <= mostGenerations; generation++) {
    const open = settings.filter((setting) => generation <= generations || !isPrecise(measured.get(setting)));
    for (const end of new Set(open.map((setting) => setting.end))) {
      const own = variantsOn(end, variants);
      const fleet = await startFleet(end, own, parts);
      for (const setting of open.filter((one) => one.end === end)) {
        say(`${titleOf(setting)}, ${generation} of ${generations} to ${mostGenerations}`);
        const calibration = calibrations.get(setting) ?? (await calibrate(fleet, own, setting, turnMs));
        calibrations.set(setting, calibration);
        await fleet.setBurn(calibration.burnUs);
        const compared = await variantsOf(fleet, own, setting, calibration.calls);
        const clearing = { clear: () => fleet.clear(), everyRounds: roundsPerClearing };
        const samples = await interleave({ variants: compared, rounds, clearing }, afterRound);
        measured.set(setting, joinSamples([measured.get(setting) ?? new Map(), withBurn(samples, calibration)]));
      }
      await fleet.close();
    }
  }
  return measured;
}

/** Whether what was measured suffices, whatever it says. */
function isPrecise(samples: Samples | undefined): boolean {
  return samples !== undefined && judgeOf(samples).precision <= precision;
}

function variantsOn(end: VersionEnd, variants: readonly InterceptorVariant[]): readonly InterceptorVariant[] {
  return variants.filter(({ isOnBoth }) => end === "newest" || isOnBoth === true);
}

async function variantsOf(
  fleet: ServerFleet,
  variants: readonly InterceptorVariant[],
  { kind, protocol }: Setting,
  calls: number,
): Promise<Variant[]> {
  const compared: Variant[] = [];
  for (const one of variants) compared.push(await fleet.variant(one, kind, protocol, calls));
  return compared;
}

/** Finds out how many calls fill a turn, and what the control must burn. It takes so long since code is compiled meanwhile. */
async function calibrate(
  fleet: ServerFleet,
  variants: readonly InterceptorVariant[],
  setting: Setting,
  turnMs: number,
): Promise<Calibration> {
  let calls = 100;
  let burnUs = 0;
  for (let round = 0; round < 20; round++) {
    const [baseline] = (await variantsOf(fleet, variants, setting, calls)).filter(({ name }) => name === passThrough);
    if (baseline === undefined) throw new Error(`${passThrough} is not measured`);
    const { perSecond = 0, cpuUs = 0 } = await baseline.measure();
    calls = Math.max(32, Math.round((perSecond * turnMs) / 1_000));
    burnUs = cpuUs * controlShare;
  }
  return { calls, burnUs };
}

/** Notes in each sample of the control what it burned. */
function withBurn(samples: Samples, { burnUs }: Calibration): Samples {
  return new Map([...samples].map(([name, own]) => [name, own.map((sample) => ({ ...sample, burnUs }))]));
}

function titleOf({ end, protocol, kind }: Setting): string {
  return `${kind.name}, ${protocol === "grpc" ? "gRPC" : "Connect"}, ${end} Connect`;
}

const columns = [
  { title: "CPU per call, µs", digits: 1 },
  { title: "main thread", digits: 1 },
  { title: "Kafka client", digits: 1 },
  { title: "calls/s", digits: 0 },
  { title: "CPU, of no interceptor", digits: 3 },
  { title: "CPU, of one that calls `next`", digits: 3 },
];

function tableOf(setting: Setting, samples: Samples, variants: readonly InterceptorVariant[]): Table {
  const own = variants.filter(({ name }) => samples.has(name));
  return {
    title: titleOf(setting),
    columns,
    rows: own.map((one) => ({ name: one.name, cells: cellsOf(one, samples) })),
    notes: [
      "CPU is that of the servers' process, all threads.",
      `Its main thread was busy for ${formatSpread(spreadOfFigure(samples, none, "mainShare"), 2)} of the time without an interceptor.`,
    ],
    trust: judgeOf(samples),
    samples,
  };
}

/** Whether servers without an interceptor agree, and the control is found out. */
export function judgeOf(samples: Samples): CheckedTrust {
  const burnt = spreadOfFigure(samples, control, "burnUs").median;
  const factor = 1 + burnt / spreadOfFigure(samples, passThrough, "cpuUs").median;
  return judge(samples, {
    figure: "cpuUs",
    twins: [none, noneAgain],
    control: { name: control, against: passThrough, factor },
  });
}

function cellsOf(one: InterceptorVariant, samples: Samples): Cell[] {
  const figures = ["cpuUs", "mainUs", "kafkaUs", "perSecond"];
  const against = [one.none, one.passThrough];
  return [
    ...figures.map((figure) => spreadOfFigure(samples, one.name, figure)),
    ...against.map((other) => (other === undefined ? "" : ratioOf(samples, one.name, other, "cpuUs"))),
  ];
}

/** All settings of a version, with the one ratio that matters most. Those that cannot be trusted have no figures in it. */
function overview(end: VersionEnd, measured: ReadonlyMap<Setting, Samples>): Table {
  const own = [...measured].filter(([setting]) => setting.end === end);
  const doubtful = new Set(own.filter(([, samples]) => !judgeOf(samples).isTrusted).map(([setting]) => setting));
  const cellOf = ({ name, passThrough: other }: InterceptorVariant, setting: Setting, samples: Samples): Cell =>
    doubtful.has(setting) ? "not trustworthy" : ratioOf(samples, name, other, "cpuUs");
  const trust: Trust = {
    isTrusted: doubtful.size < own.length,
    reason: `the A/A pairs and controls of ${own.length - doubtful.size} columns of ${own.length} hold`,
  };
  return {
    title: `Server CPU per call, of what it is with an interceptor that only calls \`next\`: ${end} Connect`,
    columns: own.map(([{ kind, protocol }]) => ({ title: `${kind.name}, ${protocol}`, digits: 3 })),
    rows: variantsOn(end, interceptorVariants).map((one) => ({
      name: one.name,
      cells: own.map(([setting, samples]) => cellOf(one, setting, samples)),
    })),
    trust,
  };
}
