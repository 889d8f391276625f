/** `uplift inspect` and the images of hubs: recognised by their bytes, checked, refused with a reason. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../support/rigs.ts';

const FIRMWARE = resolve(import.meta.dirname, '../../firmware');
const TRUST = join(FIRMWARE, 'trust');
const MCUBOOT = join(FIRMWARE, 'hub-2.0.0-test.mcuboot.bin');
const folder = mkdtempSync(join(tmpdir(), 'uplift-inspect-'));
test.after(() => rmSync(folder, { recursive: true }));

function saved(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function inspected(path: string, ...options: string[]): Promise<Record<string, unknown>> {
  const { code, stdout } = await runCli(['inspect', path, '--json', ...options]);
  return { exit: code, ...JSON.parse(stdout) };
}

test('each format is told, with digest and signature', async () => {
  const expected = [
    ['hub-2.0.0-test.mcuboot.bin', 'mcuboot', 'match', 'verified'],
    ['hub-2.0.1-test-wrong-signature.mcuboot.bin', 'mcuboot', 'match', 'wrong'],
    ['hub-2.0.2-test-unknown-key.mcuboot.bin', 'mcuboot', 'match', 'key-unknown'],
    ['hub-00020000-test.gbl', 'gbl', 'none', 'verified'],
    ['121D-0084-01000000-test.zigbee', 'zigbee-ota', undefined, undefined],
  ] as const;
  for (const [file, format, digest, signature] of expected) {
    const said = await inspected(join(FIRMWARE, file), '--trust', TRUST);
    assert.equal([said['exit'], said['format']], [0, format], file);
    assert.equal([said['digest'], said['signature']], [digest, signature], file);
    assert.ok(
      (said['fields'] as unknown[]).length > 10 && (said['hashes'] as unknown[]).length > 1,
    );
  }
  const untrusted = await inspected(MCUBOOT);
  assert.is(untrusted['signature'], 'no-trust-anchor');
});

test('what people read', async () => {
  const { code, stdout } = await runCli(['inspect', MCUBOOT, '--trust', TRUST]);
  assert.is(code, 0);
  assert.match(stdout, /format +MCUboot image/);
  assert.match(stdout, /version +2\.0\.0\n/);
  assert.match(stdout, /0x0050 security counter, protected +4 bytes at offset \d+: 02000000/);
  assert.match(stdout, /digest +[0-9a-f]{64} matches the bytes that it covers/);
  assert.match(stdout, /ECDSA P-256, DER +made by a configured key over these very bytes/);
});

test('damage is shown where the image still reads, refused where it does not', async () => {
  const bytes = readFileSync(MCUBOOT);
  bytes[0x1000]! ^= 1;
  const damaged = await inspected(saved('damaged.bin', bytes), '--trust', TRUST);
  assert.equal(
    [damaged['exit'], damaged['digest'], damaged['signature']],
    [0, 'mismatch', 'wrong'],
  );
  const cut = await inspected(saved('cut.bin', bytes.subarray(0, 5000)));
  assert.is(cut['exit'], 3);
  assert.is((cut['error'] as { code: string }).code, 'mcuboot-body-truncated');
  const gbl = readFileSync(join(FIRMWARE, 'hub-00020000-test.gbl'));
  gbl[0x1000]! ^= 1;
  const crc = await inspected(saved('damaged.gbl', gbl));
  assert.is((crc['error'] as { code: string }).code, 'end-crc');
});

test('what is no upgrade image is named, and profiles are for ZigBee', async () => {
  const hex = await inspected(saved('board.hex', ':020000040000FA\r\n:00000001FF\r\n'));
  assert.is(hex['exit'], 3);
  const error = hex['error'] as Record<string, string>;
  assert.is(error['code'], 'not-an-upgrade-image');
  assert.match(error['actual']!, 'Intel HEX');
  assert.match(error['next']!, 'signed image');
  const profile = await inspected(MCUBOOT, '--profile', 'gb-ppmid');
  assert.is(profile['exit'], 2);
  assert.is((profile['error'] as { code: string }).code, 'option-invalid');
  const verify = await runCli(['verify', MCUBOOT, '--profile', 'gb-ppmid', '--json']);
  assert.is(verify.code, 3, verify.stdout);
  assert.match(verify.stdout, 'other-format');
});

test.run();
