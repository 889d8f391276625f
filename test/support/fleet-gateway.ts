/** TEST MATERIAL: a gateway of a fleet as it is installed: a rig, a configuration, and the process `uplift serve`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { FLEET } from './fleet-material.ts';
import type { FleetSite } from './fleet-site.ts';
import { type CliRun, FIRMWARE, sleep, startCli, type TestRig } from './rigs.ts';

/** Several processes start on whatever else a machine has to do. */
const LIMIT_MS = 180_000;

/** A gateway with a rig of its own, whose process is started by `start`. */
export class GatewaySite {
  readonly id: string;
  readonly rig: TestRig;
  readonly state: string;
  readonly token: string;
  private readonly config: string;
  private run: CliRun | undefined;

  constructor(id: string, rig: TestRig, url: string, { folder, material }: FleetSite) {
    this.id = id;
    this.rig = rig;
    this.state = join(rig.folder, 'state');
    this.token = join(folder, `${id}.enrolment`);
    this.config = join(rig.folder, 'gateway.yaml');
    const { trustAnchors, tlsCa } = material;
    const admission = { intake: 'bench', centralProductsList: FIRMWARE.list, trustAnchors };
    const coordinator = {
      ...{ url, caFile: tlsCa, enrolmentTokenFile: this.token },
      ...{ contactMs: 300, inventoryMs: 300 },
    };
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id, stateDirectory: this.state },
        ...{ rigs: [rig.path], admission, schedule: { prepaymentBlackout: [] } },
        ...{ api: { socket: { role: 'admin' } }, campaigns: { fleet: FLEET, coordinator } },
      }),
    );
  }

  get devices(): string[] {
    return this.rig.rig.ppmids.map(({ eui64 }) => eui64);
  }

  version(device: string): number {
    const { id } = this.rig.rig.ppmids.find(({ eui64 }) => eui64 === device)!;
    return this.rig.device(id).fileVersion;
  }

  async start(): Promise<void> {
    this.run = startCli(['serve', '--config', this.config]);
    await this.run.until(({ code }) => code === 'ready');
  }

  async stop(): Promise<void> {
    this.run?.child.kill('SIGTERM');
    await this.run?.done;
  }
}

/** What it is when it is so, looked at again and again. */
export async function until<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<T> {
  for (const endMs = Date.now() + LIMIT_MS; ; ) {
    const seen = await look();
    if (isSo(seen)) return seen;
    assert.ok(Date.now() < endMs, `it takes too long: ${JSON.stringify(seen)}`);
    await sleep(50);
  }
}
