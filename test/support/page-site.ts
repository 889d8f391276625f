/** A gateway with its page: `uplift serve` over a rig of virtual devices, reached by a port with tokens. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliRun, FIRMWARE, freePort, startCli, TestRig, type TestRigOptions } from './rigs.ts';

export const TOKENS = {
  viewer: 'token-of-a-viewer',
  operator: 'token-of-an-operator',
  approver: 'token-of-an-approver',
} as const;

export class PageSite {
  readonly rig: TestRig;
  readonly address: string;
  readonly socket: string;
  private readonly config: string;
  private run: CliRun | undefined;

  private constructor(rig: TestRig, port: number, admission: Record<string, unknown>) {
    this.rig = rig;
    this.address = `http://127.0.0.1:${port}/`;
    this.config = join(rig.folder, 'gateway.yaml');
    const state = join(rig.folder, 'state');
    this.socket = join(state, 'run/uplift.sock');
    const tokensFile = join(rig.folder, 'tokens');
    const lines = Object.entries(TOKENS).map(([role, token]) => {
      const sha256 = createHash('sha256').update(token).digest('hex');
      return `${role} ${role}-1 sha256:${sha256}`;
    });
    writeFileSync(tokensFile, `${lines.join('\n')}\n`, { mode: 0o600 });
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id: 'bench-1', stateDirectory: state },
        rigs: [rig.path],
        admission: {
          intake: 'bench',
          centralProductsList: FIRMWARE.list,
          trustAnchors: FIRMWARE.trust,
          ...admission,
        },
        schedule: { prepaymentBlackout: [] },
        api: { socket: { role: 'admin' }, tcp: { listen: `127.0.0.1:${port}`, tokensFile } },
      }),
    );
  }

  /** `admissionOf`: what its rules are asked with besides, of files in the folder of the rig. */
  static async make(
    options: TestRigOptions,
    admissionOf: (rig: TestRig) => Record<string, unknown> = () => ({}),
  ): Promise<PageSite> {
    const rig = await TestRig.make(options);
    const site = new PageSite(rig, await freePort(), admissionOf(rig));
    await site.rig.up();
    return site;
  }

  async serve(): Promise<void> {
    this.run = startCli(['serve', '--config', this.config]);
    await this.run.until(({ code }) => code === 'ready');
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    await this.run?.powerCut();
    this.run = undefined;
  }

  /** In order; its journal can be exported then. */
  async stop(): Promise<void> {
    this.run?.child.kill('SIGTERM');
    await this.run?.done;
    this.run = undefined;
  }

  get journal(): string {
    return join(this.rig.folder, 'state/journal');
  }

  async remove(): Promise<void> {
    if (this.run) await this.kill();
    await this.rig.remove();
  }
}
