/** The bar of counted work, and moments on the command line. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { momentOf } from '../../src/cli/inputs.ts';
import { barText, WorkBar } from '../../src/cli/work-bar.ts';
import { UpliftError } from '../../src/errors.ts';

test('a bar shows the share, rounded down', () => {
  assert.is(barText('planning', 0, 10), `planning  ${'░'.repeat(20)}   0 %  0 of 10`);
  assert.is(barText('planning', 999, 1_000), `planning  ${'█'.repeat(19)}░  99 %  999 of 1,000`);
  assert.is(barText('planning', 10, 10), `planning  ${'█'.repeat(20)} 100 %  10 of 10`);
  assert.match(barText('planning', 0, 0), '0 %  0 of 0');
});

test('nothing is written where nobody is at a terminal', async () => {
  const written: unknown[] = [];
  const { write } = process.stderr;
  process.stderr.write = ((text: unknown) => written.push(text) > 0) as typeof write;
  try {
    const bar = new WorkBar('planning', 10, false);
    await bar.reach(5);
    bar.done();
  } finally {
    process.stderr.write = write;
  }
  if (!process.stderr.isTTY) assert.equal(written, []);
});

test('a day is its start in UTC; a time has its zone', () => {
  assert.is(momentOf('--at', '2021-07-20'), Date.UTC(2021, 6, 20));
  assert.is(momentOf('--at', '2021-07-20T01:00+01:00'), Date.UTC(2021, 6, 20));
  for (const wrong of ['', 'now', '2021-02-30', '2021-07-20T08:00', '20/07/2021', '2021-7-20']) {
    assert.throws(
      () => momentOf('--at', wrong),
      (error: Error) => error instanceof UpliftError,
    );
  }
});

test.run();
