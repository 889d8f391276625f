import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesText, durationText, errorLines, Output, paint, table } from '../../src/cli/output.ts';
import { UpliftError } from '../../src/errors.ts';

const test = suite('output');

/** What `body` writes to stdout and stderr. */
function written(body: () => void): { stdout: string; stderr: string } {
  const out = { stdout: '', stderr: '' };
  const streams = ['stdout', 'stderr'] as const;
  const originals = streams.map((name) => process[name].write);
  for (const name of streams)
    process[name].write = ((text: string) => {
      out[name] += text;
      return true;
    }) as never;
  try {
    body();
  } finally {
    streams.forEach((name, index) => {
      process[name].write = originals[index] as never;
    });
  }
  return out;
}

test('columns are aligned, the last one is not padded', () => {
  assert.equal(table([['a', 'long', 'x'], ['bcd', 'e', ''], ['f']], '  '), [
    '  a    long  x',
    '  bcd  e',
    '  f',
  ]);
  assert.equal(table([]), []);
});

test('times and sizes as people say them', () => {
  const said: [number, string][] = [
    [0, '0 ms'],
    [949, '949 ms'],
    [950, '1 s'],
    [119_499, '119 s'],
    [119_500, '2 min 0 s'],
    [3_600_000, '60 min 0 s'],
    [7_199_499, '119 min 59 s'],
    [7_200_000, '2 h 0 min'],
  ];
  for (const [ms, text] of said) assert.is(durationText(ms), text);
  assert.is(bytesText(262_204), '262,204');
});

test('an error says what was expected, found and is to be done', () => {
  const error = new UpliftError('a-code', 'it is wrong', { expected: 'e', actual: 'a', next: 'n' });
  const { stdout, stderr } = written(() => {
    assert.is(new Output({ quiet: true }).error(error), 2);
  });
  assert.is(stdout, '');
  assert.is(stderr, 'error it is wrong (a-code)\n  expected  e\n  found     a\n  next      n\n');
  assert.is(errorLines(new UpliftError('c', 'm')).length, 1);
});

test('an error as JSON is one document on stdout', () => {
  for (const error of [
    new UpliftError('c', 'm', { exit: 6 }),
    new TypeError('a bug'),
    'a string',
  ]) {
    const { stdout, stderr } = written(() => new Output({ json: true }).error(error));
    assert.is(stderr, '');
    const { error: body } = JSON.parse(stdout);
    assert.type(body.code, 'string');
    assert.is(body.exit, error instanceof UpliftError ? 6 : 70);
  }
});

test('quiet: no result and no event, but troubles', () => {
  const { stdout, stderr } = written(() => {
    const output = new Output({ quiet: true });
    output.result({}, ['a result']);
    output.event({}, 'an event');
    output.result({}, ['a result'], ['a trouble']);
  });
  assert.is(stdout, '');
  assert.is(stderr, 'a trouble\n');
});

test('JSON holds no bytes and no maps', () => {
  const document = { a: new Uint8Array(3), b: new Map(), c: 1 };
  const { stdout } = written(() => new Output({ json: true }).result(document, []));
  assert.equal(JSON.parse(stdout), { a: { bytes: 3 }, c: 1 });
});

test('colours only where a terminal takes them', () => {
  const { stdout } = written(() => new Output({}).result({}, [paint('red', 'text')]));
  assert.is(stdout, 'text\n');
  assert.is(paint('red', 'text'), '\u001b[31mtext\u001b[39m');
});

test.run();
