/** The runs that scenarios come to on a rig: each combination for each model that can play its parts. */
import type { Rig, RigDevice } from '../../config/schema.ts';
import { UpliftError } from '../../errors.ts';
import { ImageFile } from '../../gateway/image-library.ts';
import { seedFor } from '../scenario/chance.ts';
import {
  actionOf,
  type Cell,
  cellText,
  type DeviceRole,
  type Scenario,
  type Step,
  type StepKind,
} from '../scenario/scenario.ts';
import { lackOf, needsOf } from './rig-parts.ts';

export interface PlannedRun {
  /** The same for the same scenario, models, combination and turn, whatever else is run. */
  id: string;
  scenario: Scenario;
  cell: Cell;
  /** Who can play each part: the devices of one model. */
  roles: ReadonlyMap<string, readonly RigDevice[]>;
  seed: number;
  /** From 1. */
  turn: number;
}

export interface LeftOut {
  scenario: string;
  what: string;
  reason: string;
  /** What no device that could play a part of it has in this rig. */
  lack?: UpliftError;
}

export interface Expansion {
  /** Of one turn. */
  runs: readonly Omit<PlannedRun, 'id' | 'seed' | 'turn'>[];
  leftOut: readonly LeftOut[];
}

export interface ExpandOptions {
  scenarios: readonly Scenario[];
  rig: Rig;
  /** Only these devices of it. */
  devices?: readonly string[] | undefined;
  /** Whatever does the steps, the rig file need not name it. */
  hasOtherHands?: boolean;
}

/** Opens no port. */
export function expandRuns(options: ExpandOptions): Expansion {
  const { scenarios, rig, devices, hasOtherHands = false } = options;
  const chosen = rig.devices.filter(({ id }) => devices === undefined || devices.includes(id));
  const files = new Map<string, ImageFile>();
  const runs: Expansion['runs'][number][] = [];
  const leftOut: LeftOut[] = [];
  for (const scenario of scenarios) {
    for (const cell of scenario.cells) {
      const casts = castsFor(scenario, chosen);
      if (casts.length === 0) {
        const reason = 'no device of the rig can play each of its parts';
        leftOut.push({ scenario: scenario.name, what: cellText(cell), reason });
      }
      for (const roles of casts) {
        const plan = { scenario, cell, roles };
        const told = { scenario: scenario.name, what: planText(plan) };
        if (!takesImages(plan, files)) {
          leftOut.push({ ...told, reason: OTHER_IMAGE });
          continue;
        }
        const able = hasOtherHands ? roles : ableOf(plan, rig);
        if (!(able instanceof UpliftError)) runs.push({ ...plan, roles: able });
        else leftOut.push({ ...told, reason: able.message, lack: able });
      }
    }
  }
  return { runs, leftOut };
}

const OTHER_IMAGE = 'its devices take images of another kind';

/** Those players of each part at which every step can be done; why not, where there are none. */
function ableOf(
  { scenario, cell, roles }: Expansion['runs'][number],
  rig: Rig,
): ReadonlyMap<string, readonly RigDevice[]> | UpliftError {
  const needs = needsOf(scenario.stepsOf(cell, 0));
  const able = new Map<string, readonly RigDevice[]>();
  for (const [role, players] of roles) {
    const own = needs.filter(({ role: named }) => named === undefined || named === role);
    const lacks = players.map((player) => {
      const found = own.map(({ step }) => lackOf(step, player, rig));
      return found.find((lack) => lack !== undefined);
    });
    const left = players.filter((_, index) => lacks[index] === undefined);
    if (left.length === 0) return lacks[0]!;
    able.set(role, left);
  }
  return able;
}

/** A turn of a planned run: its name, and the seed of its choices. */
export function turnOf(run: Expansion['runs'][number], turn: number, seed: number): PlannedRun {
  const id = `${run.scenario.name} ${planText(run)} #${turn}`;
  return { ...run, id, turn, seed: seedFor(seed, id) };
}

/** As `uplift lab show` tells it: `virtual-hub image=hub-2.0.0 percent=10`. */
export function planText({ roles, cell }: Pick<PlannedRun, 'roles' | 'cell'>): string {
  const models = [...roles.values()].map(([first]) => first!.model.model).join('+');
  return [models, cellText(cell)].filter((text) => text !== '').join(' ');
}

/** They concern everything in this process, or beside it. */
const HOST_FAULTS: readonly StepKind[] = ['clockJump', 'diskFull', 'wanCut', 'wanSlow'];

/** A run with faults of the machine itself leaves no room for another beside it. */
export function wantsLabAlone({ scenario, cell, seed }: PlannedRun): boolean {
  const { setUp, steps, cleanUp } = scenario.stepsOf(cell, seed);
  return [setUp, steps, cleanUp].some(hasHostFault);
}

function hasHostFault(steps: readonly Step[]): boolean {
  return steps.some((step) => {
    const [kind, told] = actionOf(step);
    if (HOST_FAULTS.includes(kind)) return true;
    if (kind === 'parallel') return (told as readonly Step[][]).some(hasHostFault);
    if (kind === 'group') return hasHostFault((told as { steps: Step[] }).steps);
    if (kind !== 'upgrade') return false;
    return (told as { at: { steps: Step[] }[] }).at.some((moment) => hasHostFault(moment.steps));
  });
}

/** For each part the devices of one model; all ways to choose the models. */
function castsFor(
  { roles }: Scenario,
  devices: readonly RigDevice[],
): ReadonlyMap<string, readonly RigDevice[]>[] {
  let casts: Map<string, readonly RigDevice[]>[] = [new Map()];
  for (const [role, wanted] of roles) {
    const byModel = Map.groupBy(
      devices.filter((device) => canPlay(device, wanted)),
      ({ model }) => model.model,
    );
    casts = casts.flatMap((cast) =>
      [...byModel.values()].map((players) => new Map(cast).set(role, players)),
    );
  }
  return casts.filter(isPlayable);
}

/** No device plays two parts. */
function isPlayable(cast: ReadonlyMap<string, readonly RigDevice[]>): boolean {
  const parts = new Map<string, number>();
  for (const players of cast.values()) {
    const { model } = players[0]!.model;
    parts.set(model, (parts.get(model) ?? 0) + 1);
    if (parts.get(model)! > players.length) return false;
  }
  return true;
}

function canPlay(device: RigDevice, { kind, model, id }: DeviceRole): boolean {
  const kindOf = device.kind === 'hub' ? 'communications-hub' : 'ppmid';
  return (
    (kind === undefined || kind === kindOf) &&
    (model === undefined || model === device.model.model) &&
    (id === undefined || id === device.id)
  );
}

/** What the matrix names as its image is for the device of each part, as far as the first bytes tell. */
function takesImages(
  { scenario, cell, roles }: Expansion['runs'][number],
  files: Map<string, ImageFile>,
): boolean {
  return scenario.imagesOf(cell).every((path) => {
    const file = files.get(path) ?? new ImageFile(path, { imageIndex: undefined });
    files.set(path, file);
    return [...roles.values()].some(([first]) => file.isFor(first!.model.imageProfile));
  });
}
