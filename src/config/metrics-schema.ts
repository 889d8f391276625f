/** Where a service of ours shows what it counts: a section of its configuration. */
import type { ConfigCode } from './codes.ts';
import { z } from './fields.ts';
import { isLoopback, listen } from './network-fields.ts';

export const metrics = z
  .strictObject({
    serve: z
      .enum(['off', 'api', 'listener'])
      .default('off')
      .describe('`api`: to viewers of the API; `listener`: to all on this machine.'),
    listen: listen.optional().describe('Of the listener, on loopback. Default 127.0.0.1:9464.'),
  })
  .superRefine(({ serve, listen: address }, context) => {
    if (address === undefined) return;
    const refuse = (code: ConfigCode, message: string, found: string) =>
      context.addIssue({ code: 'custom', message, path: ['listen'], params: { code, found } });
    if (serve !== 'listener') {
      refuse('value-wrong', 'no such setting without "serve: listener"', address.host);
    } else if (!isLoopback(address.host)) {
      const message = 'a loopback address: metrics ask nobody who they are';
      refuse('listen-unprotected', message, address.host);
    }
  });

export type MetricsDocument = z.output<typeof metrics>;
