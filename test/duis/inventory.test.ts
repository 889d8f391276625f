/** Inventory answers: read as written, refused by code, and never read out of an attacked document. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { INVENTORY_CODES } from '../../src/duis/codes.ts';
import {
  combinationDevices,
  parseInventoryResponse,
  splitDeviceModel,
} from '../../src/duis/inventory.ts';

const test = suite('inventory');
const NAMESPACE = 'http://www.dccinterface.co.uk/ServiceUserGateway';

/** TEST MATERIAL: no real device. */
const HUB = {
  DeviceID: 'AA-00-00-00-00-00-00-01',
  DeviceType: 'CHF',
  DeviceStatus: 'Commissioned',
  DeviceManufacturer: 'A001',
  DeviceModel: '00010100',
  DeviceFirmwareVersion: '00000001',
  DeviceFirmwareVersionStatus: 'Active',
  CPLStatus: 'Expired',
  CSPRegion: 'SMETS1',
};
const ESME = {
  ...HUB,
  DeviceID: 'aa-00-00-00-00-00-00-02',
  DeviceType: 'ESME',
  DeviceModel: '00020100',
};

function deviceXml(device: Record<string, string>): string {
  const children = Object.entries(device).map(([name, text]) => `<sr:${name}>${text}</sr:${name}>`);
  return `<sr:Device>${children.join('')}</sr:Device>`;
}

function response(inside: string): string {
  return (
    `<?xml version="1.0" encoding="UTF-8"?><sr:Response xmlns:sr="${NAMESPACE}" ` +
    'schemaVersion="5.1"><sr:Header><sr:ResponseCode>I0</sr:ResponseCode></sr:Header><sr:Body>' +
    `<sr:ResponseMessage>${inside}</sr:ResponseMessage></sr:Body></sr:Response>`
  );
}

const inventory = (...devices: Record<string, string>[]) =>
  response(`<sr:DSPInventory>${devices.map(deviceXml).join('')}</sr:DSPInventory>`);

const parse = (text: string) => parseInventoryResponse(new TextEncoder().encode(text));

test('devices are read as written, with both statuses apart', () => {
  const parsed = parse(inventory(HUB, ESME));
  assert.ok(parsed.ok);
  if (!parsed.ok) return;
  assert.equal(parsed.devices[0], {
    deviceId: 'aa00000000000001',
    deviceType: 'CHF',
    manufacturer: 'A001',
    model: '00010100',
    firmwareVersion: '00000001',
    deviceStatus: 'Commissioned',
    cplStatus: 'Expired',
    firmwareVersionStatus: 'Active',
    region: 'SMETS1',
  });
  const { devices, unresolved } = combinationDevices(parsed.devices);
  assert.equal(unresolved, []);
  assert.equal(devices[1], {
    kind: 'esme',
    deviceModel: {
      manufacturer: 'A001',
      model: '0002',
      hardwareVersion: '01',
      hardwareRevision: '00',
      firmwareVersion: '00000001',
    },
  });
});

test('a device whose Device Model cannot be told is not left out in silence', () => {
  const { DeviceFirmwareVersion: _, ...silent } = ESME;
  const parsed = parse(
    inventory(
      { ...HUB, DeviceModel: '9001' },
      silent,
      { ...ESME, DeviceID: 'AA-00-00-00-00-00-00-03', DeviceType: 'CAD', DeviceModel: 'GEO' },
      { ...HUB, DeviceID: 'AA-00-00-00-00-00-00-04', DeviceType: 'GPF' },
      { ...HUB, DeviceID: 'AA-00-00-00-00-00-00-05', DeviceType: 'constructor' },
    ),
  );
  assert.ok(parsed.ok);
  if (!parsed.ok) return;
  const { devices, unresolved } = combinationDevices(parsed.devices);
  assert.equal(devices, []);
  assert.equal(
    unresolved.map(({ deviceType }) => deviceType),
    ['CHF', 'ESME'],
  );
});

test('only eight hexadecimal digits are split', () => {
  assert.equal(splitDeviceModel(' 433100ac '), {
    model: '4331',
    hardwareVersion: '00',
    hardwareRevision: 'ac',
  });
  for (const other of ['', '9001', '433100A', '433100ACD', '433100AX']) {
    assert.is(splitDeviceModel(other), undefined);
  }
});

const without = (name: string) =>
  Object.fromEntries(Object.entries(HUB).filter(([key]) => key !== name));
const many = Array.from({ length: 18 }, (_, i) => ({
  ...HUB,
  DeviceID: `AA-00-00-00-00-00-00-${i.toString().padStart(2, '0')}`,
}));

const REFUSED: [name: string, text: string, code: string][] = [
  ['another root', '<Response/>', 'response-other-root'],
  [
    'a request',
    inventory(HUB)
      .replaceAll('sr:Response ', 'sr:Request ')
      .replace('/sr:Response>', '/sr:Request>'),
    'response-other-root',
  ],
  ['an acknowledgement', response(''), 'response-no-inventory'],
  ['two inventories', response('<sr:DSPInventory/><sr:DSPInventory/>'), 'element-repeated'],
  ['an inventory of another namespace', response('<DSPInventory/>'), 'response-no-inventory'],
  ['no device', inventory(), 'element-missing'],
  ['18 devices', inventory(...many), 'devices-too-many'],
  [
    'a device twice',
    inventory(HUB, { ...ESME, DeviceID: HUB.DeviceID.toLowerCase() }),
    'device-repeated',
  ],
  ['no DeviceID', inventory(without('DeviceID')), 'element-missing'],
  ['no DeviceModel', inventory(without('DeviceModel')), 'element-missing'],
  [
    'an EUI without hyphens',
    inventory({ ...HUB, DeviceID: 'AA00000000000001' }),
    'device-id-invalid',
  ],
  ['a short EUI', inventory({ ...HUB, DeviceID: 'AA-00-00-00-00-00-00' }), 'device-id-invalid'],
  ['an empty manufacturer', inventory({ ...HUB, DeviceManufacturer: ' ' }), 'text-invalid'],
  ['a model of 31 characters', inventory({ ...HUB, DeviceModel: 'A'.repeat(31) }), 'text-invalid'],
  [
    'a version of 9 characters',
    inventory({ ...HUB, DeviceFirmwareVersion: '123456789' }),
    'text-invalid',
  ],
  [
    'two versions',
    inventory(HUB).replace('</sr:Device>', '<sr:DeviceModel>1</sr:DeviceModel></sr:Device>'),
    'element-repeated',
  ],
  [
    'a split version',
    inventory({ ...HUB, DeviceFirmwareVersion: '0000<!-- -->0001' }),
    'xml-split-text',
  ],
  ['a DOCTYPE', inventory(HUB).replace('<sr:Response', '<!DOCTYPE a><sr:Response'), 'xml-doctype'],
  ['more than a mebibyte', ' '.repeat(1_048_577), 'xml-too-large'],
];

for (const [name, text, code] of REFUSED) {
  test(`refused: ${name}`, () => {
    const parsed = parse(text);
    assert.is(parsed.ok ? 'ok' : parsed.code, code);
  });
}

test('every code has an answer that is refused by it', () => {
  const shown = new Set(REFUSED.map(([, , code]) => code));
  assert.equal(
    Object.keys(INVENTORY_CODES).filter((code) => !shown.has(code)),
    [],
  );
});

test('every truncation is refused', () => {
  const whole = new TextEncoder().encode(inventory(HUB, ESME));
  for (let length = 0; length < whole.length; length++) {
    assert.not(parseInventoryResponse(whole.subarray(0, length)).ok, `${length}`);
  }
});

test.run();
