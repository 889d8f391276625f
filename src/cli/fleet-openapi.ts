/** `uplift fleet openapi`: the API of a coordinator, as documents for others. */
import { EXIT, type ExitCode } from '../errors.ts';
import { fleetOpenApi } from '../fleet/coordinator/doors.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';

export function showFleetApi(
  { of: whom }: { of: string },
  version: string,
  output: Output,
): ExitCode {
  if (whom !== 'operators' && whom !== 'gateways') {
    throw usage('--of', 'operators or gateways', whom);
  }
  const document = fleetOpenApi(version)[whom];
  output.result(document, [JSON.stringify(document, undefined, 2)]);
  return EXIT.done;
}
