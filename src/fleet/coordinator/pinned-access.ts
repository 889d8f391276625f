/**
 * Gateways, by certificates that stand for themselves: which gateway enrolled with it is asked again for
 * every request, so that one that was shut out is out with its next.
 */
import type { Access, Asking, Identity } from '../../api/access.ts';
import { fingerprintOf } from '../../api/doors.ts';
import type { GatewayDesk } from './control.ts';
import { FleetError } from './fleet-problems.ts';

export class PinnedAccess implements Access {
  private readonly desk: Pick<GatewayDesk, 'identify'>;

  constructor(desk: Pick<GatewayDesk, 'identify'>) {
    this.desk = desk;
  }

  async identify({ request, role }: Asking): Promise<Identity> {
    const certificate = fingerprintOf(request);
    if (certificate === undefined) throw new FleetError('certificate-missing');
    const known = { kind: 'certificate', certificate, untilMs: Number.POSITIVE_INFINITY } as const;
    if (role === 'certificate') return { ...known, by: `certificate:${certificate}` };
    const gateway = await this.desk.identify(certificate);
    if (gateway === undefined) throw new FleetError('gateway-unknown');
    return { ...known, gateway, by: `gateway:${gateway}` };
  }

  /** A path that names a gateway is that one's alone, whether there is another of that name or not. */
  mayUse({ gateway }: Identity, { role, params }: Asking): boolean {
    if (role === 'certificate') return true;
    return gateway !== undefined && (params['gateway'] ?? gateway) === gateway;
  }

  stillMay(): boolean {
    return true;
  }
}
