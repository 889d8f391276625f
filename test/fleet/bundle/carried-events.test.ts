/** Events that travel home: what is sealed is read again, and nothing else passes for it. */
import { sign } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeCbor } from '../../../src/bytes/cbor.ts';
import {
  EVENTS_CONTENT_TYPE,
  openEvents,
  SEALED_BYTES_MAX,
  sealEvents,
  takeCarriedEvents,
} from '../../../src/fleet/bundle/carried-events.ts';
import type { EventBatch } from '../../../src/fleet/wire.ts';
import { signAlone } from '../../../src/trust/cose.ts';
import { BOB, signedCampaign, signer } from '../../campaign/campaigns.ts';

const test = suite('events that travel home');

const GATEWAY = signer('gateway-1');
const OTHER = signer('gateway-2');
const KEY_ID = GATEWAY.certificates[0].fingerprint;
const BATCH: EventBatch = {
  after: { sequence: 4, hash: 'aa'.repeat(32) },
  through: { sequence: 9, hash: 'bb'.repeat(32) },
  events: [
    {
      ...{ sequence: 7, atMs: 1_800_000_000_000, campaign: 'cc'.repeat(32) },
      ...{ device: '000d6f000a9069e7', attempt: 1, phase: 'done', runs: '02000000' },
    },
    { sequence: 8, atMs: 1_800_000_000_001, campaign: 'dd'.repeat(32), refused: 'other-fleet' },
  ],
};
const CARRIED = { fleet: 'north', gateway: 'gateway-1', batch: BATCH };
const SEALED = sealEvents(CARRIED, GATEWAY);

const codeOf = (bytes: Uint8Array) => {
  const opened = openEvents(bytes);
  return opened.ok ? 'opened' : opened.code;
};
const sealedText = (content: string, by = GATEWAY) => {
  const { privateKey, certificates } = by;
  return signAlone(new TextEncoder().encode(content), EVENTS_CONTENT_TYPE, {
    privateKey,
    certificates: [certificates[0]],
  });
};

test('what is sealed is read again, with whose seal it is', () => {
  assert.equal(openEvents(SEALED), { ok: true, ...CARRIED, certificate: KEY_ID });
  const { after: _none, ...first } = BATCH;
  const opened = openEvents(sealEvents({ ...CARRIED, batch: first }, GATEWAY));
  assert.ok(opened.ok);
  assert.equal(opened.batch, first);
});

test('as RFC 9052 has it: an independent reading of the seal', () => {
  const content = new TextEncoder().encode(JSON.stringify({ version: 1, ...CARRIED }));
  const header = encodeCbor(
    new Map<number, number | string | Uint8Array>([
      [1, -7],
      [3, EVENTS_CONTENT_TYPE],
      [4, Uint8Array.from(Buffer.from(KEY_ID, 'hex'))],
    ]),
  );
  const signed = encodeCbor(['Signature1', header, new Uint8Array(0), content]);
  const key = { key: GATEWAY.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  const value = new Uint8Array(sign('sha256', signed, key));
  const chain = new Map([[33, GATEWAY.certificates[0].der]]);
  const made = Uint8Array.from([0xd2, ...encodeCbor([header, chain, content, value])]);
  assert.is(codeOf(made), 'opened');
});

test('one bit, or the end, missing: never anything but the same, or a code', () => {
  for (let bit = 0; bit < 8 * SEALED.length; bit += 7) {
    const bytes = SEALED.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.is.not(codeOf(bytes), 'opened', `bit ${bit}`);
  }
  for (let length = 0; length < SEALED.length; length += 13) {
    assert.is.not(codeOf(SEALED.subarray(0, length)), 'opened', `${length} bytes`);
  }
});

test('a content that is no stretch of a journal, however well it is sealed', () => {
  const of = (more: object) => JSON.stringify({ version: 1, ...CARRIED, ...more });
  assert.is(codeOf(sealedText(of({}))), 'opened');
  for (const content of [
    '',
    'null',
    of({ version: 2 }),
    of({ gateway: '../x' }),
    of({ more: 1 }),
    of({ batch: { ...BATCH, events: [{}] } }),
    of({ batch: { ...BATCH, through: undefined } }),
  ]) {
    assert.is(codeOf(sealedText(content)), 'events-form', content);
  }
  assert.is(codeOf(new Uint8Array(SEALED_BYTES_MAX + 1)), 'events-large');
  const other = signAlone(new Uint8Array(4), 'text/plain', GATEWAY);
  assert.is(codeOf(other), 'cose-content-type');
  assert.is(codeOf(signedCampaign()), 'cose-content-type');
});

test('a certificate that is not the one of the seal, or not alone, vouches for nobody', () => {
  const chained = signAlone(new TextEncoder().encode('{}'), EVENTS_CONTENT_TYPE, BOB);
  assert.is(codeOf(chained), 'events-signer');
  // The same length, so that the document stays one: another certificate in place of the right one.
  const own = GATEWAY.certificates[0].der;
  const not = sameLength(own.length);
  const at = Buffer.from(SEALED).indexOf(Buffer.from(own));
  const bytes = SEALED.slice();
  bytes.set(not, at);
  assert.is(codeOf(bytes), 'events-signer');
});

/** Signatures in DER have one of several lengths. */
function sameLength(bytes: number): Uint8Array {
  for (;;) {
    const { der } = signer('gateway-2').certificates[0];
    if (der.length === bytes) return der;
  }
}

/** Knows one gateway; takes what it is given, as the coordinator does. */
function desk() {
  const taken: [gateway: string, batch: EventBatch][] = [];
  return {
    taken,
    fleet: 'north',
    identify: async (certificate: string) => (certificate === KEY_ID ? 'gateway-1' : undefined),
    takeSealed: async (gateway: string, batch: EventBatch) => {
      taken.push([gateway, batch]);
      return { journal: batch.through };
    },
  };
}

test('the coordinator takes them of the gateway that enrolled with the certificate, and of no other', async () => {
  const here = desk();
  const taken = await takeCarriedEvents(here, SEALED);
  assert.equal(taken, { ok: true, gateway: 'gateway-1', taken: { journal: BATCH.through } });
  assert.equal(here.taken, [['gateway-1', BATCH]]);
  const refuses = async (bytes: Uint8Array) => {
    const answer = await takeCarriedEvents(here, bytes);
    return answer.ok ? 'taken' : answer.code;
  };
  assert.is(await refuses(sealEvents(CARRIED, OTHER)), 'events-other-gateway');
  const posing = sealEvents({ ...CARRIED, gateway: 'gateway-2' }, GATEWAY);
  assert.is(await refuses(posing), 'events-other-gateway');
  const foreign = sealEvents({ ...CARRIED, fleet: 'south' }, GATEWAY);
  assert.is(await refuses(foreign), 'events-other-fleet');
  assert.is(await refuses(SEALED.subarray(1)), 'cose-structure');
  assert.is(here.taken.length, 1);
});

test.run();
