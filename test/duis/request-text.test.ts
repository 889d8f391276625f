/** Requests as documents: what is written is read back as the same, in every form there is. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readUnsignedRequest } from '../../src/duis/request-reader.ts';
import { encodeRequest } from '../../src/duis/request-text.ts';
import type { RequestBody, ServiceRequest } from '../../src/duis/service-request.ts';
import { HASH, IMAGE, REQUESTS, requestXml, utf8 } from './requests.ts';

const test = suite('requests as documents');
const requestId = { originator: '90b3d51f30010000', target: '0255504c46540002', counter: 7n };
const HEADER = {
  requestId,
  commandVariant: 8,
  serviceReference: '11.1',
  serviceReferenceVariant: '11.1',
};
const executionMs = Date.UTC(2026, 2, 1, 2, 0, 0, 5);

const BODIES: RequestBody[] = [
  { kind: 'UpdateFirmware', image: IMAGE, firmwareVersion: '<&">', deviceIds: ['0'.repeat(16)] },
  {
    kind: 'UpdatePPMIDFirmware',
    image: new Uint8Array(0),
    firmwareVersion: ' 1 ',
    deviceIds: [requestId.target, requestId.originator],
  },
  { kind: 'ReadFirmwareVersion' },
  { kind: 'ReadFirmwareVersion', executionMs },
  { kind: 'ActivateFirmware', firmwareHash: HASH },
  { kind: 'ActivateFirmware', firmwareHash: HASH, execution: executionMs },
  { kind: 'ActivateFirmware', firmwareHash: HASH, execution: 'cancel' },
  { kind: 'SignedPreCommand', gbcsPayload: Uint8Array.of(0xdf, 0), execution: 'cancel' },
];

function readBack(request: ServiceRequest): ServiceRequest {
  const read = readUnsignedRequest(encodeRequest(request));
  assert.ok(read.ok, read.ok ? '' : read.code);
  return read.ok ? read.unsigned : request;
}

test('every body is read back as it was', () => {
  for (const body of BODIES) {
    const request = { schemaVersion: '5.1', header: HEADER, body };
    assert.equal(readBack(request), request);
  }
});

test('every header is, to the ends of its ranges', () => {
  const [, , body] = BODIES as [RequestBody, RequestBody, RequestBody];
  for (const more of [
    { firstInSequence: true },
    { firstInSequence: false },
    { precedingRequestId: { ...requestId, counter: 0n } },
    { requestId: { ...requestId, counter: 2n ** 64n - 1n }, commandVariant: 1 },
  ]) {
    const request = { schemaVersion: '5.40', header: { ...HEADER, ...more }, body };
    assert.equal(readBack(request), request);
  }
});

test('the same octets as a document that was written by hand', () => {
  const written = utf8(requestXml(REQUESTS['11.2']));
  const read = readUnsignedRequest(written);
  assert.ok(read.ok);
  if (read.ok) assert.equal(new Uint8Array(encodeRequest(read.unsigned)), new Uint8Array(written));
});

test.run();
