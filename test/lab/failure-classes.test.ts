/** Every code that a run can end with has a class, whichever table or source it is from. */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  classOfCode,
  isClassified,
  LAB_CLASSES,
  LAB_CODES,
} from '../../src/lab/failure-classes.ts';
import { POWER_FAILURES } from '../../src/lab/power/codes.ts';
import { HUB_PROBLEMS } from '../../src/upgrade/hub-finding.ts';
import { FAILURES } from '../../src/upgrade/states.ts';

const test = suite('failure classes');
const SRC = resolve(import.meta.dirname, '../../src');

/** Folders whose errors come out of a flash, a reading, or the start of virtual devices. */
const BELOW = [
  'gateway',
  'transport',
  'virtual',
  'store',
  'lab/faults',
  'lab/power',
  'lab/recording',
  'lab/rig',
];

/** Errors that another door makes: of a service's jobs, or of a program that signs. */
const OTHER_DOORS = [
  'service-control.ts',
  'job-desk.ts',
  'admission-desk.ts',
  'surroundings.ts',
  'signing-identity.ts',
];

function codesInSources(): { code: string; file: string }[] {
  return BELOW.flatMap((folder) =>
    globSync('**/*.ts', { cwd: resolve(SRC, folder) }).flatMap((file) => {
      const text = readFileSync(resolve(SRC, folder, file), 'utf8');
      const found = [...text.matchAll(/new UpliftError\(\s*'([\w-]+)'/g)];
      return found.map(([, code]) => ({ code: code!, file: `${folder}/${file}` }));
    }),
  );
}

test('every failure of a session, every problem of a hub and every one of a supply', () => {
  const tables = [FAILURES, HUB_PROBLEMS, POWER_FAILURES];
  const codes = tables.flatMap((table) => Object.keys(table));
  assert.equal(
    codes.filter((code) => !isClassified(code)),
    [],
  );
});

test('every error of the layers below', () => {
  const found = codesInSources();
  assert.ok(found.length > 60, `${found.length} errors are looked at`);
  const without = found.filter(({ code, file }) => {
    return !isClassified(code) && !OTHER_DOORS.some((door) => file.endsWith(door));
  });
  assert.equal(without, []);
});

test('every code that the lab throws is in its table, and each in the table is thrown', () => {
  const files = globSync('**/*.ts', { cwd: resolve(SRC, 'lab') });
  const text = files.map((file) => readFileSync(resolve(SRC, 'lab', file), 'utf8')).join('\n');
  const rows = text.slice(text.indexOf('export const LAB_CODES'));
  assert.ok(rows.length > 0);
  for (const code of Object.keys(LAB_CODES)) {
    const uses = text.split(`'${code}'`).length - 1;
    assert.ok(uses >= 2, `${code} is thrown somewhere`);
  }
});

test('codes of the lab are nobody else’s, and each class is one of four', () => {
  const below = [...Object.keys(FAILURES), ...codesInSources().map(({ code }) => code)];
  for (const [code, { class: failed, sentence }] of Object.entries(LAB_CODES)) {
    assert.not.ok(below.includes(code), code);
    assert.ok(failed in LAB_CLASSES);
    assert.ok(sentence.length > 10);
  }
});

test('a code without a class is a bug', () => {
  assert.throws(() => classOfCode('never-heard-of'), /has a class/);
});

test.run();
