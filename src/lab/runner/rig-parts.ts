/**
 * What a rig has for the steps of a scenario, as its file says and without opening anything: whatever is
 * missing is told before the first run begins, with what to write into the file.
 */
import type { DeviceWiring, PowerConfig, Rig, RigDevice } from '../../config/schema.ts';
import { EXIT, UpliftError } from '../../errors.ts';
import { LAB_CODES, type LabCodeName } from '../failure-classes.ts';
import { LINK_FAULTS } from '../faults/faulty-link.ts';
import { FRAME_FAULTS } from '../faults/frame-faults.ts';
import { refuseSharedDisk } from '../faults/full-disk.ts';
import type { FaultKind } from '../faults/settings.ts';
import { type Actions, actionOf, type ScenarioSteps, type Step } from '../scenario/scenario.ts';

/** Off, where something is restarted by its supply. */
export const POWER_CYCLE_MS = 1_000;

type Wired = DeviceWiring & { virtual?: unknown };

const VIRTUAL: PowerConfig = { driver: 'virtual' };

/** That of a virtual device is its own, unless its rig names another. */
export function powerOf(wired: Wired | undefined): PowerConfig | undefined {
  return wired?.power ?? (wired?.virtual ? VIRTUAL : undefined);
}

/** Without a name the one that there is; a virtual device has one in any case. */
export function buttonOf(
  wired: Wired | undefined,
  name: string | undefined,
): { name: string; config: PowerConfig } | undefined {
  const named = Object.entries(wired?.buttons ?? {});
  const fits = named.filter(([one]) => name === undefined || name === one);
  const [found] = fits;
  if (found !== undefined && fits.length === 1) return { name: found[0], config: found[1] };
  if (named.length > 0 || !wired?.virtual) return undefined;
  return { name: name ?? '', config: VIRTUAL };
}

/** What one step wants of a rig. */
export interface Need {
  /** The part whose device it is about; of the one part there is where absent. */
  role: string | undefined;
  step: Step;
}

export function needsOf({ setUp, steps, cleanUp }: ScenarioSteps): Need[] {
  const needs: Need[] = [];
  const visit = (list: readonly Step[]): void => {
    for (const step of list) {
      const [kind, told] = actionOf(step);
      needs.push({ role: (told as { device?: string }).device, step });
      if (kind === 'parallel') for (const branch of told as Actions['parallel']) visit(branch);
      if (kind === 'group') visit((told as Actions['group']).steps);
      if (kind === 'upgrade')
        for (const moment of (told as Actions['upgrade']).at) visit(moment.steps);
    }
  };
  for (const list of [setUp, steps, cleanUp]) visit(list);
  return needs;
}

/** Why the step cannot be done at the device, or undefined where it can, as far as the rig file tells. */
export function lackOf(step: Step, device: RigDevice, rig: Rig): UpliftError | undefined {
  const at = `devices, ${device.id}`;
  const missing = (code: LabCodeName, where: string, write: string): UpliftError =>
    new UpliftError(code, `${device.id}: ${LAB_CODES[code].sentence}`, {
      expected: `${where}: ${write}`,
      actual: 'nothing of it in the rig file',
      next: `write it into ${rig.path}; hw-config/README.md says how`,
      exit: EXIT.notReachable,
    });
  const [kind, told] = actionOf(step);
  switch (kind) {
    case 'powerOff':
    case 'powerOn':
    case 'powerCycle':
      if (powerOf(device)) return undefined;
      return missing('power-missing', at, 'power: {driver: ...}, what switches its supply');
    case 'press': {
      const { button } = told as Actions['press'];
      if (buttonOf(device, button)) return undefined;
      const write = `buttons: {${button ?? 'NAME'}: {driver: ...}}, what presses it`;
      return missing('button-missing', at, write);
    }
    case 'fault':
    case 'clearFaults':
      return lackOfFaults(told as Actions['fault'], device, rig, missing);
    case 'assert':
      if ((told as Actions['assert']).faultsMin === undefined) return undefined;
      return lackOfFaults({}, device, rig, missing);
    case 'coordinatorReset': {
      const coordinator = coordinatorOf(device, rig);
      if (coordinator?.adapter === 'zstack' || powerOf(coordinator)) return undefined;
      const where = `coordinators, ${coordinator?.id ?? `that of ${device.id}`}`;
      return missing('reset-missing', where, 'power: {driver: ...}, or adapter: zstack');
    }
    case 'lineGlitch':
      return lackOfLines(told as Actions['lineGlitch'], device, missing, at);
    case 'wanCut':
    case 'wanSlow': {
      const { wan } = told as { wan?: string };
      if (wan === undefined || rig.wan.some(({ id }) => id === wan)) return undefined;
      return missing('wan-missing', 'wan', `{id: ${wan}, listen: HOST:PORT, target: HOST:PORT}`);
    }
    case 'diskFull':
      return lackOfDisk(rig);
    default:
      return undefined;
  }
}

type Missing = (code: LabCodeName, where: string, write: string) => UpliftError;

/** The faults of a line are made in the link that is opened, those of air in the frames of ZNP. */
function lackOfFaults(
  { device: _, direction, ...faults }: Partial<Actions['fault']>,
  device: RigDevice,
  rig: Rig,
  missing: Missing,
): UpliftError | undefined {
  const coordinator = coordinatorOf(device, rig);
  if (coordinator !== undefined && coordinator.adapter !== 'zstack') {
    const write = 'adapter: zstack, whose frames the lab can reach';
    return missing('faults-missing', `coordinators, ${coordinator.id}`, write);
  }
  const possible: readonly FaultKind[] = device.kind === 'hub' ? LINK_FAULTS : FRAME_FAULTS;
  const asked = Object.entries(faults).filter(([, value]) => value !== undefined);
  const other = asked.find(([kind]) => !possible.includes(kind as FaultKind))?.[0];
  if (other === undefined) return undefined;
  const { sentence } = LAB_CODES['fault-unsupported'];
  return new UpliftError('fault-unsupported', `${device.id}: ${sentence}`, {
    expected: possible.join(', '),
    actual: other,
    next: 'take another fault, or a device of another kind',
    exit: EXIT.notReachable,
  });
}

function lackOfLines(
  { rts }: Actions['lineGlitch'],
  device: RigDevice,
  missing: Missing,
  at: string,
): UpliftError | undefined {
  const has =
    device.kind === 'hub' &&
    (device.virtual ? rts !== undefined : !device.port.startsWith('tcp://'));
  if (has) return undefined;
  const write =
    device.kind === 'hub' && device.virtual
      ? 'nothing: a virtual hub has its reset pin on RTS, and no other line'
      : 'port: a serial adapter, which has modem lines';
  return missing('glitch-missing', at, write);
}

function lackOfDisk({ stateFolder }: Rig): UpliftError | undefined {
  try {
    refuseSharedDisk(stateFolder);
    return undefined;
  } catch (error) {
    if (error instanceof UpliftError) return error;
    throw error;
  }
}

function coordinatorOf(device: RigDevice, { coordinators }: Rig) {
  if (device.kind === 'hub') return undefined;
  return coordinators.find(({ id }) => id === device.coordinator);
}
