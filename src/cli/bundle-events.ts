/** `uplift bundle events`: what gateways say on a medium of their campaigns, and whether it is sealed well. */
import { EXIT, type ExitCode } from '../errors.ts';
import { Bundle } from '../fleet/bundle/bundle.ts';
import type { OpenedEvents } from '../fleet/bundle/carried-events.ts';
import type { Output } from './output.ts';

export function showEvents(folder: string, output: Output): ExitCode {
  const events = Bundle.open(folder)
    .events()
    .map(({ file, opened, code, message }) => ({ file, ...(opened ?? { code, message }) }));
  const isGood = events.every((one) => 'batch' in one);
  const lines = events.flatMap((one) =>
    'batch' in one ? linesOf(one) : [`${one.file}: ${one.message} (${one.code})`],
  );
  output.result({ root: folder, events }, [
    ...(lines.length > 0 ? lines : ['no events']),
    'whose seal it is, the coordinator knows: uplift bundle import',
  ]);
  return isGood ? EXIT.done : EXIT.refused;
}

function linesOf({ file, gateway, batch }: OpenedEvents & { file: string }): string[] {
  const { after, through, events } = batch;
  const stretch = `records ${(after?.sequence ?? 0) + 1} to ${through.sequence}`;
  return [
    `${file}: ${gateway}, ${stretch}, ${events.length} of campaigns`,
    ...events.map((event) => {
      const at = new Date(event.atMs).toISOString();
      if ('refused' in event) return `  ${at}  campaign refused (${event.refused})`;
      const { device, phase, code } = event;
      return `  ${at}  ${device}  ${phase}${code === undefined ? '' : ` (${code})`}`;
    }),
  ];
}
