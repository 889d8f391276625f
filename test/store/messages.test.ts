/** Documents by their digest: written once, hashed again, nothing lost by a fault. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { realFiles } from '../../src/store/files.ts';
import { MessageStore } from '../../src/store/messages.ts';

const test = suite('messages');

const folder = mkdtempSync(join(tmpdir(), 'uplift-messages-'));
const bytes = (text: string) => new TextEncoder().encode(text);

test('what is put is there under its digest, once, after a restart too', () => {
  const store = new MessageStore(folder);
  const one = store.put(bytes('one'));
  assert.is(store.put(bytes('one')), one);
  assert.equal(readdirSync(folder), [one]);
  assert.equal(new MessageStore(folder).get(one), new Uint8Array(bytes('one')));
  assert.is(store.get('0'.repeat(64)), undefined);
});

test('what is something else than its name says is not given out, and written anew', () => {
  const store = new MessageStore(folder);
  const two = store.put(bytes('two'));
  writeFileSync(join(folder, two), 'tw');
  assert.is(store.get(two), undefined);
  assert.is(store.put(bytes('two')), two);
  assert.ok(store.get(two));
});

test('a name that is no digest leads nowhere', () => {
  const store = new MessageStore(folder);
  for (const name of ['../x', '', 'A'.repeat(64)]) assert.throws(() => store.get(name));
});

test('a disk that fails leaves no half of a document under its name', () => {
  const full = Object.assign(new Error('no room'), { code: 'ENOSPC', syscall: 'write' });
  const files = {
    ...realFiles,
    write(descriptor: number, part: Uint8Array, position: number): number {
      if (position > 0) throw full;
      return realFiles.write(descriptor, part.subarray(0, 2), position);
    },
  };
  const store = new MessageStore(folder, files);
  assert.throws(() => store.put(bytes('four')), /no room/);
  const whole = new MessageStore(folder);
  assert.ok(readdirSync(folder).every((name) => name.endsWith('.new') || whole.get(name)));
  const kept = whole.put(bytes('four'));
  const removed = whole.removeUnused(new Set([kept]));
  assert.ok(removed > 0);
  assert.equal(readdirSync(folder), [kept]);
  rmSync(folder, { recursive: true });
});

test.run();
