/** Requests that fit, and each way in which one does not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { requestIdText } from '../../src/duis/identifiers.ts';
import {
  checkRequest,
  executionOf,
  type RequestSettings,
  type RequestSurroundings,
} from '../../src/duis/request-check.ts';
import {
  canonicalVersion,
  compareVersions,
  DUIS_VERSIONS,
  isAtLeast,
} from '../../src/duis/schema-version.ts';
import { SERVICE_CODES, type ServiceCode } from '../../src/duis/service-codes.ts';
import { DATING, SERVICE_MATRIX } from '../../src/duis/service-matrix.ts';
import type { RequestBody, RequestHeader, ServiceRequest } from '../../src/duis/service-request.ts';
import { BROKER, HASH, HUB_1, HUB_2, SUPPLIER } from './response-samples.ts';

const test = suite('checks of a request');

const NOW = Date.UTC(2026, 1, 3);
const OTHER_SUPPLIER = '0255504c46540003';
const DISTRIBUTOR = '0255504c46540004';
const EARLIER = { originator: SUPPLIER, target: BROKER, counter: 1n };

const SETTINGS: RequestSettings = {
  brokers: [BROKER],
  users: new Map([
    [SUPPLIER, ['IS', 'ES']],
    [OTHER_SUPPLIER, ['GS']],
    [DISTRIBUTOR, ['ED']],
  ]),
};

const SURROUNDINGS: RequestSurroundings = {
  nowMs: NOW,
  devices: new Set([HUB_1, HUB_2]),
  past: {
    datedBy: (deviceId) => (deviceId === HUB_2 ? SUPPLIER : undefined),
    isAccepted: (id) => id === requestIdText(EARLIER),
  },
};

const update = (kind: 'UpdateFirmware' | 'UpdatePPMIDFirmware'): RequestBody => ({
  kind,
  image: new Uint8Array(14),
  firmwareVersion: '00010203',
  deviceIds: [HUB_1],
});
const BODIES: Readonly<Record<RequestBody['kind'], RequestBody>> = {
  UpdateFirmware: update('UpdateFirmware'),
  UpdatePPMIDFirmware: update('UpdatePPMIDFirmware'),
  ReadFirmwareVersion: { kind: 'ReadFirmwareVersion' },
  ActivateFirmware: { kind: 'ActivateFirmware', firmwareHash: HASH },
  SignedPreCommand: { kind: 'SignedPreCommand', gbcsPayload: Uint8Array.of(0xdf) },
};

/** One that fits, by its row of the matrix, with what is changed in it. */
function request(
  kind: RequestBody['kind'],
  change: {
    header?: Partial<RequestHeader>;
    body?: object;
    schemaVersion?: string;
    originator?: string;
    target?: string;
  } = {},
): ServiceRequest {
  const row = SERVICE_MATRIX.find(({ body }) => body === kind)!;
  const target = row.target === 'broker' ? BROKER : HUB_1;
  return {
    schemaVersion: change.schemaVersion ?? '5.1',
    header: {
      requestId: {
        originator: change.originator ?? SUPPLIER,
        target: change.target ?? target,
        counter: 9n,
      },
      commandVariant: row.commandVariants[0]!,
      serviceReference: row.serviceReference,
      serviceReferenceVariant: row.serviceReference,
      ...change.header,
    },
    body: { ...BODIES[kind], ...change.body } as RequestBody,
  };
}

const codes = (asked: ServiceRequest, settings = SETTINGS): ServiceCode[] =>
  checkRequest(asked, settings, SURROUNDINGS).map(({ code }) => code);

test('each request of the matrix fits, under every variant, in every version that has it', () => {
  for (const { body, commandVariants, fromDuis } of SERVICE_MATRIX) {
    for (const commandVariant of commandVariants) {
      for (const { version } of DUIS_VERSIONS.filter((one) => isAtLeast(one.version, fromDuis))) {
        const asked = request(body, { header: { commandVariant }, schemaVersion: version });
        assert.equal(codes(asked), [], `${body} ${commandVariant} ${version}`);
      }
    }
  }
});

test('every row says where each of its values comes from', () => {
  for (const { sources } of SERVICE_MATRIX) {
    for (const source of Object.values(sources)) {
      assert.match(source, /read|inferred|assumed|not found/);
    }
  }
});

const HOUR_MS = 3_600_000;
const WRONG: readonly [string, ServiceRequest, ServiceCode][] = [
  [
    'a version of the future',
    request('UpdateFirmware', { schemaVersion: '9.9' }),
    'duis-version-unknown',
  ],
  [
    'a version that is none',
    request('UpdateFirmware', { schemaVersion: 'x' }),
    'duis-version-unknown',
  ],
  [
    'another service',
    request('ReadFirmwareVersion', {
      header: { serviceReference: '8.2', serviceReferenceVariant: '8.2' },
    }),
    'service-not-served',
  ],
  [
    '11.4 before it was there',
    request('UpdatePPMIDFirmware', { schemaVersion: '4.0' }),
    'service-too-early',
  ],
  [
    'a variant of another service',
    request('UpdateFirmware', { header: { serviceReferenceVariant: '11.4' } }),
    'reference-variant-differs',
  ],
  [
    '11.1 with the body of 11.3',
    request('UpdateFirmware', { body: BODIES.ActivateFirmware }),
    'body-differs',
  ],
  [
    '11.3 under variant 1',
    request('ActivateFirmware', { header: { commandVariant: 1 } }),
    'variant-not-served',
  ],
  [
    'a plain body under a variant of signed ones',
    request('ActivateFirmware', { header: { commandVariant: 5 } }),
    'variant-not-served',
  ],
  [
    'local delivery',
    request('ReadFirmwareVersion', { header: { commandVariant: 2 } }),
    'variant-not-served',
  ],
  ['a stranger', request('UpdateFirmware', { originator: HUB_1 }), 'originator-unknown'],
  ['a distributor', request('ActivateFirmware', { originator: DISTRIBUTOR }), 'role-not-allowed'],
  ['11.1 for a device', request('UpdateFirmware', { target: HUB_1 }), 'target-not-broker'],
  ['11.3 for the broker', request('ActivateFirmware', { target: BROKER }), 'target-is-broker'],
  ['a device of elsewhere', request('ActivateFirmware', { target: SUPPLIER }), 'target-unknown'],
  [
    'a time that has passed',
    request('ActivateFirmware', { body: { execution: NOW - HOUR_MS } }),
    'execution-past',
  ],
  [
    'a time next year',
    request('ReadFirmwareVersion', { body: { executionMs: NOW + 365 * 24 * HOUR_MS } }),
    'execution-too-late',
  ],
  [
    'a cancellation of nothing',
    request('ActivateFirmware', { body: { execution: 'cancel' } }),
    'nothing-to-cancel',
  ],
  [
    'a cancellation of what another dated',
    request('SignedPreCommand', {
      originator: OTHER_SUPPLIER,
      target: HUB_2,
      body: { execution: 'cancel' },
    }),
    'dated-by-other',
  ],
  [
    'a time in place of what another dated',
    request('ActivateFirmware', {
      originator: OTHER_SUPPLIER,
      target: HUB_2,
      body: { execution: NOW + HOUR_MS },
    }),
    'dated-by-other',
  ],
  [
    'a predecessor that was not taken',
    request('UpdateFirmware', {
      header: { precedingRequestId: { ...EARLIER, counter: 2n } },
    }),
    'preceding-unknown',
  ],
];

for (const [name, asked, code] of WRONG) {
  test(`${name}: ${code}`, () => {
    const [finding, ...others] = checkRequest(asked, SETTINGS, SURROUNDINGS);
    assert.is(finding?.code, code);
    assert.is(finding?.message, SERVICE_CODES[code]);
    assert.ok(finding!.expected && finding!.actual);
    assert.equal(others, []);
  });
}

test('an 11.1 cannot be dated: a site whose matrix says so finds it', () => {
  const matrix = SERVICE_MATRIX.map(({ datedBy: _, ...row }) => row);
  const asked = request('ActivateFirmware', { body: { execution: NOW + HOUR_MS } });
  assert.equal(codes(asked, { ...SETTINGS, matrix }), ['execution-not-datable']);
});

test('every code that a check gives is tried here', () => {
  const tried = new Set<string>(WRONG.map(([, , code]) => code));
  const elsewhere = [
    'execution-not-datable',
    'request-id-other-content',
    'counter-not-above',
    'device-not-known',
    'device-not-commissioned',
    'device-gbcs-version',
  ];
  assert.equal(
    Object.keys(SERVICE_CODES).filter((code) => !tried.has(code) && !elsewhere.includes(code)),
    [],
  );
});

test('all that is wrong is said at once', () => {
  const asked = request('ActivateFirmware', {
    schemaVersion: '7',
    originator: DISTRIBUTOR,
    target: BROKER,
    header: { commandVariant: 9, serviceReferenceVariant: '11.2' },
    body: { execution: NOW - HOUR_MS },
  });
  assert.equal(codes(asked), [
    'duis-version-unknown',
    'reference-variant-differs',
    'role-not-allowed',
    'variant-not-served',
    'target-is-broker',
    'execution-past',
  ]);
});

test('what fits a dated activation, and the bounds of a time', () => {
  const at = (execution: number | 'cancel', target = HUB_1) =>
    codes(request('ActivateFirmware', { target, body: { execution } }));
  assert.equal(at('cancel', HUB_2), []);
  assert.equal(at(NOW + HOUR_MS, HUB_2), [], 'its own is put off or forward');
  assert.equal(at(NOW - DATING.pastToleranceMs), []);
  assert.equal(at(NOW - DATING.pastToleranceMs - 1), ['execution-past']);
  assert.equal(at(NOW + DATING.futureMsMax), []);
  assert.equal(at(NOW + DATING.futureMsMax + 1), ['execution-too-late']);
  assert.equal(codes(request('UpdateFirmware', { header: { precedingRequestId: EARLIER } })), []);
  assert.is(executionOf(BODIES.UpdateFirmware), undefined);
});

test('versions are decimals', () => {
  for (const [text, canonical] of [
    ['5.4', '5.4'],
    ['5.40', '5.4'],
    [' 05.4 ', '5.4'],
    ['+5', '5.0'],
    ['5.', '5.0'],
    ['.5', '0.5'],
    ['5.10', '5.1'],
    ['.', undefined],
    ['', undefined],
    ['-5.1', undefined],
    ['5.1a', undefined],
    ['1e1', undefined],
    ['5.4.1', undefined],
  ] as const) {
    assert.is(canonicalVersion(text), canonical, text);
  }
  assert.ok(compareVersions('5.4', '5.3') > 0);
  assert.ok(isAtLeast('5.1', '5.1'));
  assert.not.ok(isAtLeast('4.0', '5.0'));
});

test.run();
