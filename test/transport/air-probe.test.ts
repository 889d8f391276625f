/** Who is asked, when, and what counts as an answer's time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AirProbe, PROBE_TIMEOUT_MS } from '../../src/transport/zigbee/air-probe.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

const test = suite('air probe');

function settled(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

test('devices that download are asked in turn; late, lost and none', async () => {
  const clock = new SimulatedScheduler();
  const asked: string[] = [];
  const answers: number[] = [];
  let devices: string[] = [];
  let answer: () => Promise<void> = () => Promise.resolve();
  const probe = new AirProbe({
    timers: clock,
    devices: () => devices,
    ask: (eui64) => {
      asked.push(eui64);
      return answer();
    },
    onAnswer: (ms) => answers.push(ms),
  });
  const turn = async (takesMs = 0) => {
    clock.run(2_000);
    await settled();
    clock.run(takesMs);
    await settled();
  };
  probe.start();
  await turn();
  assert.equal([asked, answers], [[], []], 'nobody downloads');
  devices = ['a', 'b'];
  answer = () => new Promise((done) => clock.after(80, done));
  await turn(80);
  answer = () => Promise.reject(new Error('lost'));
  await turn();
  answer = () => new Promise((done) => clock.after(1_900, done));
  await turn(1_900);
  assert.equal(answers, [80, PROBE_TIMEOUT_MS, PROBE_TIMEOUT_MS]);
  assert.is(new Set(asked).size, 2, 'each in its turn');
  probe.stop();
  assert.is(clock.pending, 0);
});

test('what is answered after it was stopped is told to nobody', async () => {
  const clock = new SimulatedScheduler();
  const answers: number[] = [];
  const probe = new AirProbe({
    timers: clock,
    devices: () => ['a'],
    ask: () => new Promise((done) => clock.after(50, done)),
    onAnswer: (ms) => answers.push(ms),
  });
  probe.start();
  clock.run(2_000);
  probe.stop();
  clock.run(50);
  await settled();
  assert.equal(answers, []);
});

test.run();
