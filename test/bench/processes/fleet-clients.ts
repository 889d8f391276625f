/** The other end of a coordinator in a process of its own: what tells it what to do, and gateways at its doors. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CoordinatorLink } from '../../../src/fleet/agent/coordinator-link.ts';
import type { JournalMark } from '../../../src/fleet/wire.ts';
import { NOW } from '../../campaign/campaigns.ts';
import type { Client } from '../../fleet/doors/opened.ts';
import type { FleetPlan, FleetWork, Held, Opened, Took } from './fleet-coordinator.ts';
import { type InHand, stretchOf } from './fleet-stretch.ts';

/** A gateway at the doors, with the link of the real agent. */
export class Asking {
  private readonly link: CoordinatorLink;
  private readonly id: string;
  private version = 0;
  private devices: readonly InHand[] = [];
  private mark: JournalMark | undefined;

  constructor({ key, cert }: Client, id: string, { port, certificatePem }: Opened) {
    this.id = id;
    this.link = new CoordinatorLink({
      ...{ url: `https://127.0.0.1:${port}`, gateway: id, version: '0.0.0' },
      trust: { keyPem: key, certificatePem: cert, caPem: certificatePem },
      clock: { nowMs: () => Date.now() },
    });
  }

  async changed(): Promise<number> {
    const answer = await this.link.desired(undefined, 0);
    if (answer.kind !== 'answered') throw new Error(`desired: ${JSON.stringify(answer)}`);
    const { version, campaigns } = answer.value;
    this.version = version;
    this.devices = campaigns.flatMap(({ digest: campaign, devices }) =>
      devices.map(({ device }) => [campaign, device] as const),
    );
    return 1;
  }

  async unchanged(): Promise<number> {
    const answer = await this.link.desired(this.version, 0);
    if (answer.kind !== 'unchanged') throw new Error(`desired: ${JSON.stringify(answer)}`);
    return 1;
  }

  async tell(): Promise<number> {
    if (this.devices.length === 0) return 0;
    const batch = stretchOf(this.id, this.mark, this.devices, NOW);
    const answer = await this.link.postEvents(batch);
    if (answer.kind !== 'answered') throw new Error(`events: ${JSON.stringify(answer)}`);
    this.mark = answer.value.journal;
    this.devices = [];
    return batch.events.length;
  }

  close(): void {
    this.link.close();
  }
}

export class FleetProcess {
  readonly opened: Opened;
  private readonly child: ReturnType<typeof fork>;

  private constructor(child: ReturnType<typeof fork>, opened: Opened) {
    this.child = child;
    this.opened = opened;
  }

  static async start(plan: FleetPlan): Promise<FleetProcess> {
    const path = join(import.meta.dirname, 'fleet-coordinator.ts');
    const child = fork(path, [JSON.stringify(plan)]);
    return new FleetProcess(child, await heard<Opened>(child));
  }

  do(work: 'held'): Promise<Held>;
  do(work: FleetWork): Promise<Took>;
  do(work: FleetWork): Promise<Took | Held> {
    this.child.send(work);
    return heard(this.child);
  }

  async row(name: string, work: FleetWork, unit: string): Promise<Took> {
    const took = await this.do(work);
    print(name, took, unit);
    return took;
  }

  /** What the coordinator's process used while others asked it. */
  async door(
    name: string,
    asking: readonly Asking[],
    atOnce: number,
    work: (one: Asking) => Promise<number>,
  ): Promise<void> {
    await this.do('rest');
    let [next, count] = [0, 0];
    const one = async () => {
      while (next < asking.length) {
        const done = await work(asking[next++]!);
        count += done;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    print(
      name,
      { ...(await this.do('rest')), count },
      name.startsWith('events') ? 'event' : 'asking',
    );
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }
}

function print(name: string, { wallMs, nodeMs, postgresMs, count }: Took, unit: string): void {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2).padStart(6)} s`;
  const each = ((1000 * wallMs) / count).toFixed(0).padStart(5);
  console.log(
    `  ${name.padEnd(36)}${seconds(wallMs)}  Node ${seconds(nodeMs)}  PostgreSQL ` +
      `${seconds(postgresMs)}  ${each} µs for each of ${count} (${unit})`,
  );
}

async function heard<T>(child: ReturnType<typeof fork>): Promise<T> {
  const ended = new AbortController();
  const { signal } = ended;
  try {
    const gone = once(child, 'exit', { signal }).then(([code]): [never] => {
      throw new Error(`the coordinator's process ended with ${code}`);
    });
    // It loses against the other, and then nobody hears of it.
    gone.catch(() => {});
    const [said] = await Promise.race([once(child, 'message', { signal }), gone]);
    return said as T;
  } finally {
    ended.abort();
  }
}
