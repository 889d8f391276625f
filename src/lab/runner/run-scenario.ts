/** One scenario on a rig, for a program: what each of its runs came to. */
import type { RunResult } from '../run-result.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type LabOptions, runLab } from './lab.ts';

export type ScenarioOptions = Omit<LabOptions, 'scenarios'>;

/** The last attempt of every run, in the order in which they ended. */
export async function runScenario(
  scenario: Scenario,
  options: ScenarioOptions,
): Promise<RunResult[]> {
  const results: RunResult[] = [];
  await runLab({
    ...options,
    scenarios: [scenario],
    onEvent: (event) => {
      if (event.kind === 'ended' && event.isFinal) results.push(event.result);
      options.onEvent?.(event);
    },
  });
  return results;
}
