/** `uplift lab list`: the scenarios that come with Uplift. */
import { EXIT, type ExitCode } from '../errors.ts';
import { loadScenario } from '../lab/scenario/load.ts';
import { shippedScenarios } from './lab-scenarios.ts';
import { type Output, table } from './output.ts';

export function listScenarios(output: Output): ExitCode {
  const scenarios = [...shippedScenarios()].map(([name, path]) => {
    const { description, cells } = loadScenario(path);
    return { name, path, description, combinations: cells.length };
  });
  output.result({ scenarios }, [
    'Scenarios that come with Uplift:',
    ...table(
      scenarios.map(({ name, description }) => [name, description]),
      '  ',
    ),
    '',
    `They are in ${scenarios[0]?.path.replace(/[^/\\]*$/, '') ?? 'no folder'}: copy one to change it.`,
  ]);
  return EXIT.done;
}
