/** What would become of a Service Request, by the configuration and the journal of a gateway; nothing is done. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadGateway } from '../../src/config/gateway.ts';
import { LookAhead, type Outlook } from '../../src/dcc/look-ahead.ts';
import { acceptanceRecords } from '../../src/duis/request-records.ts';
import type { RequestBody, ServiceRequest } from '../../src/duis/service-request.ts';
import { siteOf } from '../../src/service/choices.ts';
import { Journal } from '../../src/store/journal.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { BROKER, DuisSite, PPMID, STRANGER, SUPPLIER } from '../support/duis-site.ts';
import { FIRMWARE } from '../support/rigs.ts';

const test = suite('what a gateway would answer');
const NOW_MS = Date.UTC(2026, 5, 1);
const IMAGE = new Uint8Array(readFileSync(FIRMWARE.new));
const HASH = 'ab'.repeat(32);
let site: DuisSite;
test.before.each(() => {
  site = new DuisSite();
});
test.after.each(() => site.remove());

function look(): LookAhead {
  const { config } = loadGateway(site.gateway());
  return new LookAhead({ ...config, duis: config.duis! }, siteOf(config));
}

function update(deviceIds: string[], image = IMAGE, counter = 5n): ServiceRequest {
  const body = { kind: 'UpdatePPMIDFirmware' as const, image, firmwareVersion: '2', deviceIds };
  return request(body, '11.4', { target: BROKER, counter, commandVariant: 8 });
}

function request(
  body: RequestBody,
  serviceReference: string,
  { target = PPMID, counter = 5n, commandVariant = 4, originator = SUPPLIER } = {},
): ServiceRequest {
  const header = { serviceReference, serviceReferenceVariant: serviceReference, commandVariant };
  const requestId = { originator, target, counter };
  return { schemaVersion: '5.1', header: { ...header, requestId }, body };
}

function outlook(asked: ServiceRequest, sha256 = 'aa'.repeat(32)): Outlook {
  return look().outlook(asked, sha256, NOW_MS);
}

/** Written by a gateway that has stopped since. */
function journalOf(...entries: unknown[]): void {
  const folder = join(site.stateFolder, 'journal');
  const { journal } = Journal.open(folder, { bytesMax: 64 * 1024 * 1024 }, NOW_MS);
  journal.append(entries as Parameters<Journal['append']>[0], NOW_MS);
  journal.close();
}

test('an update: each device by itself, and a stranger in its list', () => {
  const found = outlook(update([PPMID, STRANGER, PPMID]));
  assert.is(found.kind, 'taken');
  if (found.kind !== 'taken') return;
  assert.is(found.responseCode, 'W110401');
  assert.equal(found.split!.admitted, [PPMID]);
  assert.equal(found.split!.repeated, [PPMID]);
  assert.equal(found.split!.lists, { InvalidDeviceIDList: [STRANGER] });
  assert.equal(
    found.groups.map(({ devices }) => devices),
    [[PPMID], [STRANGER]],
  );
  assert.ok(found.groups[0]!.example!.decision.findings.length > 10, 'every rule was asked');
});

test('an image that no device may have is refused as a whole', () => {
  const found = outlook(update([PPMID], IMAGE.slice(0, 40)));
  assert.is(`${found.kind} ${'responseCode' in found && found.responseCode}`, 'refused E110401');
  assert.is(found.kind === 'refused' && found.refusal.code, 'image.readable');
});

test('what is wrong with the request by itself is said, all of it', () => {
  const late = { kind: 'ActivateFirmware', firmwareHash: HASH, execution: 5 } as const;
  const found = outlook(request(late, '11.3', { target: STRANGER, commandVariant: 9 }));
  assert.is(found.kind, 'refused');
  assert.equal(found.kind === 'refused' && found.findings.map(({ code }) => code), [
    'variant-not-served',
    'target-unknown',
    'execution-past',
  ]);
  const none = outlook(request({ kind: 'ReadFirmwareVersion' }, '11.2', { commandVariant: 1 }));
  assert.equal(none, { kind: 'taken', responseCode: 'I99', groups: [] });
});

test('what the journal says of requests, jobs and activations before it counts', () => {
  const taken = update([PPMID], IMAGE, 5n);
  const sha256 = 'aa'.repeat(32);
  const of = { duisVersion: '5.1', devices: [PPMID], answer: 'bb'.repeat(32), hash: HASH };
  const job = 'j1';
  journalOf(
    ...acceptanceRecords({ ...of, request: taken, sha256 }, NOW_MS),
    {
      kind: 'job',
      job,
      by: 'duis',
      request: {
        image: HASH,
        devices: ['ppmid'],
        activation: { when: 'held' },
        priority: 4,
        deadlineMs: NOW_MS * 2,
      },
    },
    { kind: 'state', job, device: 'ppmid', state: 'scheduled', attempt: 0, owner: 'gateway' },
  );
  assert.ok(look().hasJournal);
  assert.is(outlook(taken, sha256).kind, 'repeated');
  const other = outlook(taken, 'cc'.repeat(32));
  assert.is(other.kind === 'refused' && other.refusal.code, 'request-id-other-content');
  const older = outlook(update([PPMID], IMAGE, 4n));
  assert.is(older.kind === 'refused' && older.refusal.code, 'counter-not-above');
  const newer = outlook(update([PPMID], IMAGE, 6n));
  assert.is(newer.kind, 'taken');
  assert.equal(newer.kind === 'taken' && newer.split!.lists, {
    OtherRequestInProgressList: [PPMID],
  });
});

test('nothing is written: no folder, no record, no lock', () => {
  outlook(update([PPMID]));
  assert.not(existsSync(site.stateFolder), 'a gateway that never ran stays so');
  assert.not(look().hasJournal);
  journalOf({ kind: 'gateway-started' });
  const folder = join(site.stateFolder, 'journal');
  // SQLite has files of its own beside a journal that is read.
  const contents = () =>
    readdirSync(folder)
      .filter((name) => !/-(shm|wal)$/.test(name))
      .sort()
      .map((name) => [name, sha256Hex(readFileSync(join(folder, name)))]);
  const before = contents();
  outlook(update([PPMID]));
  assert.equal(contents(), before);
  assert.equal(readdirSync(site.stateFolder), ['journal']);
});

test.run();
