/**
 * The disk fails at every operation of the store while two devices are upgraded: full, broken, or not able
 * to synchronise. The gateway says so and takes no work, leaves what runs, and keeps what it had; started
 * again on a disk that is well, it goes on, and every promise holds.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { FailingFiles, type Fault, sqliteError } from '../store/failing-files.ts';
import { checkJournal, GatewayWorld, HOUR_MS, type ProcessFaults } from './gateway-world.ts';

const test = suite('store faults of a gateway');

const DEVICES = ['ppmid-1-1', 'hub-1'] as const;
const MOST_MS = 12 * HOUR_MS;
/** By then what ran has been left. */
const LEFT_MS = 15_000;
/** Within it the journal has put its log away. */
const AFTER_MS = 60_000;
const SQLITE_FULL = 13;
const SQLITE_IOERR_FSYNC = 1034;

interface Outcome {
  /** That the first process ended with. */
  fault: 'none' | 'not started' | 'degraded';
  broken: string[];
}

async function upgrade(faults: ProcessFaults): Promise<Outcome> {
  const world = await GatewayWorld.begin();
  try {
    const broken: string[] = [];
    const fault = await runInto(faults, world, broken);
    if (world.gateway) world.kill();
    world.start();
    ask(world);
    assert.ok(await world.clock.until(() => world.isOver, MOST_MS), 'goes on');
    broken.push(...world.broken, ...judge(world));
    return { fault, broken };
  } finally {
    world.remove();
  }
}

async function runInto(
  faults: ProcessFaults,
  world: GatewayWorld,
  broken: string[],
): Promise<Outcome['fault']> {
  try {
    world.start(faults);
  } catch (error) {
    assert.instance(error, UpliftError, `${(error as Error).stack}`);
    return 'not started';
  }
  const isTaken = ask(world);
  const isDegraded = () => world.gateway!.condition.state === 'degraded';
  await world.clock.until(() => isDegraded() || (isTaken && world.isOver), MOST_MS);
  await world.clock.run(AFTER_MS);
  if (!isDegraded()) {
    if (!isTaken) broken.push('a job was refused, and nothing says why');
    return 'none';
  }
  await checkDegraded(world, broken);
  return 'degraded';
}

/** False where one was not taken. */
function ask(world: GatewayWorld): boolean {
  try {
    for (const device of DEVICES) {
      const request = world.request([device], { requestId: device, deadlineMs: 2_000_000_000_000 });
      world.ask((gateway) => gateway.jobs.create(request, 'api:a'));
    }
    return true;
  } catch (error) {
    assert.instance(error, UpliftError, `${(error as Error).stack}`);
    return false;
  }
}

async function checkDegraded(world: GatewayWorld, broken: string[]): Promise<void> {
  const { error } = world.gateway!.condition;
  if (!error?.actual || !error.next) broken.push('the condition does not say what is wrong');
  try {
    world.ask((gateway) => gateway.jobs.create(world.request(['hub-1']), 'api:b'));
    broken.push('a job was taken all the same');
  } catch (refusal) {
    if ((refusal as UpliftError).code !== 'not-accepting') throw refusal;
  }
  await world.clock.run(LEFT_MS);
  const before = served(world);
  await world.clock.run(HOUR_MS);
  if (served(world) !== before) broken.push('the transfer went on');
}

function served({ truth, hubs }: GatewayWorld): number {
  let sum = hubs.get('hub-1')!.receivedBytes;
  for (const { blocks } of truth.values()) for (const times of blocks.values()) sum += times;
  return sum;
}

function judge(world: GatewayWorld): string[] {
  checkJournal(world);
  const broken: string[] = [];
  for (const { id, activations, runsNew } of world.truth.values()) {
    const job = [...world.gateway!.book.jobs].find(({ request }) => request.devices.includes(id));
    const { state, code } = job!.upgrades[0]!;
    if (activations > 1) broken.push(`${id} was activated ${activations} times`);
    if ((state === 'done') !== runsNew) broken.push(`${id} is ${state}, runs new: ${runsNew}`);
    // As in the crash sweep: announced, and not commanded.
    if (state !== 'done' && code !== 'device-reverted') broken.push(`${id} is ${state} ${code}`);
  }
  return broken;
}

async function sweep(what: string, points: [string, ProcessFaults][]): Promise<void> {
  const startMs = performance.now();
  const faults = new Map<string, number>();
  for (const [where, point] of points) {
    const { fault, broken } = await upgrade(point);
    assert.equal(broken, [], where);
    faults.set(fault, (faults.get(fault) ?? 0) + 1);
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  const told = [...faults].map(([fault, times]) => `${times} ${fault}`).join(', ');
  console.log(`NOTE ${what}: ${points.length} points in ${seconds} s; ${told}`);
  assert.ok((faults.get('degraded') ?? 0) > points.length / 2, 'most faults are met');
}

async function countOperations(): Promise<{ files: number; commits: number }> {
  const files = new FailingFiles();
  let commits = 0;
  await upgrade({
    files,
    beforeCommit: () => {
      commits++;
    },
  });
  return { files: files.operations, commits };
}

const clean = await countOperations();

function fileFaults(fault: Fault, every: number, isLasting: boolean): [string, ProcessFaults][] {
  const points: [string, ProcessFaults][] = [];
  for (let at = 1; at <= clean.files; at += every)
    points.push([`${fault} at ${at}`, { files: new FailingFiles(at, fault, isLasting) }]);
  return points;
}

function commitFaults(errcode: number, every: number): [string, ProcessFaults][] {
  const points: [string, ProcessFaults][] = [];
  for (let at = 1; at <= clean.commits; at += every) {
    let commits = 0;
    const beforeCommit = () => {
      if (++commits === at) throw sqliteError(errcode);
    };
    points.push([`${errcode} at commit ${at}`, { beforeCommit }]);
  }
  return points;
}

test('a file operation fails: broken', () => sweep('EIO', fileFaults('EIO', 1, false)));

test('a file operation fails, and every one after it: full', () =>
  sweep('ENOSPC', fileFaults('ENOSPC', 4, true)));

test('a commit fails: the database is full', () =>
  sweep('SQLITE_FULL', commitFaults(SQLITE_FULL, 1)));

test('a commit fails: it does not synchronise', () =>
  sweep('SQLITE_IOERR_FSYNC', commitFaults(SQLITE_IOERR_FSYNC, 4)));

test.run();
