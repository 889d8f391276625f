/** What no single value of a scenario can show: that parts, readings and images are there. */
import { existsSync } from 'node:fs';
import type { KeyPath } from '../../config/yaml-source.ts';
import { actionOf, type ScenarioSteps, type Step } from './scenario.ts';

export type StepFault =
  | { kind: 'role'; name: string; known: string[]; path: KeyPath }
  | { kind: 'reading'; name: string; known: string[]; path: KeyPath }
  | { kind: 'image'; name: string; path: KeyPath };

/** `roles`: where there is one, a step need not name it. */
export function checkSteps(lists: ScenarioSteps, roles: readonly string[]): StepFault[] {
  const faults: StepFault[] = [];
  const readings = new Set<string>();
  const visit = (steps: readonly Step[], path: KeyPath): void => {
    for (const [index, step] of steps.entries()) visitStep(step, [...path, index]);
  };
  const visitStep = (step: Step, path: KeyPath): void => {
    const [kind, told] = actionOf(step);
    const at = [...path, kind];
    if (kind === 'parallel') {
      for (const [n, branch] of (told as Step[][]).entries()) visit(branch, [...at, n]);
      return;
    }
    // A repetition that was not unrolled has steps as well.
    if (kind === 'group' || (kind as string) === 'repeat') {
      visit((told as { steps: Step[] }).steps, [...at, 'steps']);
      return;
    }
    if (isOnDevice(kind)) faults.push(...roleFaults(told as { device?: string }, roles, at));
    if (kind === 'upgrade') {
      const { image, at: moments } = told as { image: string; at: { steps: Step[] }[] };
      if (!existsSync(image)) {
        faults.push({ kind: 'image', name: image, path: [...at, 'image'] });
      }
      for (const [n, { steps }] of moments.entries()) visit(steps, [...at, 'at', n, 'steps']);
    }
    if (kind === 'readVersion') readings.add((told as { as?: string }).as ?? '');
    if (kind === 'assert') faults.push(...readingFaults(told as object, readings, at));
  };
  visit(lists.setUp, ['setUp']);
  visit(lists.steps, ['steps']);
  visit(lists.cleanUp, ['cleanUp']);
  return faults;
}

const OFF_DEVICE = ['wanCut', 'wanSlow', 'clockJump', 'diskFull', 'runCommand', 'call'];

function isOnDevice(kind: string): boolean {
  return !OFF_DEVICE.includes(kind);
}

function roleFaults(
  { device }: { device?: string },
  roles: readonly string[],
  at: KeyPath,
): StepFault[] {
  const isNamed = device === undefined ? roles.length === 1 : roles.includes(device);
  if (isNamed) return [];
  return [{ kind: 'role', name: device ?? '', known: [...roles], path: [...at, 'device'] }];
}

function readingFaults(told: object, readings: ReadonlySet<string>, at: KeyPath): StepFault[] {
  return (['versionOtherThan', 'versionSameAs'] as const).flatMap((key): StepFault[] => {
    const name = (told as Record<string, string | undefined>)[key];
    if (name === undefined || readings.has(name)) return [];
    return [{ kind: 'reading', name, known: [...readings], path: [...at, key] }];
  });
}
