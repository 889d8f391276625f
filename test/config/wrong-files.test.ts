/** Every way in which a file can be wrong: the code, the line and the column where it is told. */
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CONFIG_CODES, GATEWAY_CODES, SCENARIO_CODES } from '../../src/config/codes.ts';
import { loadHubModel, loadPpmidModel, loadRig } from '../../src/config/load.ts';
import {
  edited,
  HUB_MODEL,
  HUB_RIG,
  MODEL,
  newFolder,
  problemsOf,
  RIG,
  removeFolders,
} from './folder.ts';

interface Wrong {
  name: string;
  /** The rig file, or with `of` the model file of a PPMID or a hub. */
  text: string | Uint8Array;
  of?: 'model' | 'hub';
  /** `code line:column key`, one a problem. */
  problems: string[];
  /** Parts of the message. */
  says?: string[];
  hides?: string;
}

const rig = (from: string, to: string) => edited(RIG, from, to);
const model = (from: string, to: string) => edited(MODEL, from, to);
const device = (id: string, eui64: string, virtual = '      firmware: old.zigbee\n') =>
  `  - id: ${id}\n    model: model.yaml\n    coordinator: zigbee-1\n    eui64: "${eui64}"\n    virtual:\n${virtual}`;
const hub = (from: string, to: string) => edited(HUB_MODEL, from, to);
/** A hub behind a bootloader, with this on the line before its steps. */
const bootloaderHub = (line: string) =>
  edited(HUB_MODEL, '  enterBootloader:', `${line}\n  enterBootloader:`)
    .replace('protocol: smp', 'protocol: gecko-bootloader')
    .replace('mcuboot', 'gbl')
    .replace('smp: {recovery: line-steps}\n', '');
const hubRig = (from: string, to: string) => edited(HUB_RIG, from, to);
const coordinator = (id: string, port: string) =>
  RIG.slice(RIG.indexOf('  - id: zigbee-1'), RIG.indexOf('devices:'))
    .replace('zigbee-1', id)
    .replace('tcp://127.0.0.1:17000', port);
const withCoordinator = (id: string, port: string) =>
  rig('devices:', `${coordinator(id, port)}devices:`);

const told = new Set<string>();

const CASES: Wrong[] = [
  // Files
  { name: 'empty', text: '', problems: ['file-empty -'] },
  { name: 'comments only', text: '# a rig\n\n', problems: ['file-empty -'] },
  {
    name: 'over 1 MiB',
    text: `#${'x'.repeat(1_048_576)}`,
    problems: ['file-too-large -'],
    says: ['1048577'],
  },
  { name: 'not UTF-8', text: Uint8Array.of(0x61, 0x3a, 0x20, 0xff), problems: ['file-not-text -'] },
  { name: 'a model for a rig', text: MODEL, problems: ['file-other-kind -'] },
  { name: 'a rig for a model', text: RIG, of: 'model', problems: ['file-other-kind -'] },

  // YAML
  {
    name: 'bad indentation',
    text: 'rig: [1, 2\nstate: s\n',
    problems: ['yaml-syntax 2:1'],
    says: ['rig.yaml:2:1:', '"state: s"'],
  },
  {
    name: 'open quote',
    text: 'rig: "r\nstate: s\n',
    problems: ['yaml-syntax 3:1'],
    says: ['the end'],
  },
  {
    name: 'two colons',
    text: 'rig: r\nstate: a: b\n',
    problems: ['yaml-syntax 2:8'],
    says: ['"state: a: b"'],
  },
  {
    name: 'a syntax error beside a key',
    text: 'rig: r\nnetworkKey: 0123: 456\n',
    problems: ['yaml-syntax 2:13'],
    hides: '0123',
  },
  { name: 'tab', text: 'rig: r\nnetwork:\n\tpanId: 1\n', problems: ['yaml-tab 3:1'] },
  {
    name: 'duplicate key',
    text: rig('state:', 'rig: q\nstate:'),
    problems: ['yaml-duplicate-key 3:1'],
  },
  { name: 'two documents', text: `${RIG}---\n${RIG}`, problems: ['yaml-several-documents 21:1'] },
  {
    name: 'unknown alias',
    text: rig('state: state', 'state: *s'),
    problems: ['yaml-alias-unknown 3:8'],
  },
  { name: 'alias as key', text: 'a: &a b\n*a : c\n', problems: ['yaml-key-not-text 2:1'] },
  { name: 'list as key', text: '? [a]\n: b\n', problems: ['yaml-key-not-text 1:3'] },
  {
    name: 'unknown tag',
    text: rig('state: state', 'state: !x state'),
    problems: ['yaml-tag-unknown 3:8'],
  },
  { name: 'YAML 1.1', text: `%YAML 1.1\n---\n${RIG}`, problems: ['yaml-version -'] },
  { name: 'alias bomb', text: bomb(), problems: ['yaml-alias-limit -'] },
  {
    name: 'many aliases',
    text: `a: &a 1\nb: [${'*a,'.repeat(30_000)}]\n`,
    problems: ['yaml-alias-limit 2:305'],
  },
  {
    name: 'nested too deep',
    text: `a: ${'['.repeat(5_000)}`,
    problems: ['yaml-depth-limit -'],
  },
  { name: 'mappings in one line', text: 'on: '.repeat(65_000), problems: ['yaml-depth-limit -'] },
  { name: 'lists in one line', text: '- '.repeat(65_000), problems: ['yaml-depth-limit -'] },

  // Keys
  {
    name: 'misspelt key, told once',
    text: rig('    model: model.yaml', '    modle: model.yaml'),
    problems: ['key-unknown 16:5 devices[0].modle'],
    says: [
      'did you mean "model"?',
      'rig.yaml:16:5: devices[0].modle: expected ',
      ', found "modle"',
    ],
  },
  {
    name: 'unknown key like none',
    text: rig('state:', 'zzzzzz: 1\nstate:'),
    problems: ['key-unknown 3:1 zzzzzz'],
    hides: 'did you mean',
  },
  {
    name: 'key in an override',
    text: `${RIG}      otaClient: {retryPausMs: 3}\n`,
    problems: ['key-unknown 21:19 devices[0].virtual.otaClient.retryPausMs'],
    says: ['did you mean "retryPauseMs"?'],
  },
  {
    name: '__proto__',
    text: rig('state:', '__proto__: {a: 1}\nstate:'),
    problems: ['key-unknown 3:1 __proto__'],
  },
  {
    name: 'missing key',
    text: rig('      channel: 15\n', ''),
    problems: ['key-missing 9:7 coordinators[0].network.channel'],
  },
  {
    name: 'missing devices',
    text: 'rig: r\ndescription: d\nstate: s\n',
    problems: ['key-missing 1:1 devices'],
  },

  // Values
  { name: 'a list for a rig', text: '- 1\n', problems: ['value-wrong 1:1'], says: ['a list of 1'] },
  { name: 'text for a rig', text: 'hello\n', problems: ['value-wrong 1:1'], says: ['"hello"'] },
  {
    name: 'no value',
    text: rig('rig: r', 'rig:'),
    problems: ['value-wrong 1:5 rig'],
    says: ['no value'],
  },
  {
    name: 'no devices',
    text: rig('devices:', 'devices: []\nx:'),
    problems: ['value-wrong 14:10 devices', 'key-unknown 15:1 x'],
  },
  {
    name: 'id',
    text: rig('rig: r', 'rig: My Rig'),
    problems: ['value-wrong 1:6 rig'],
    says: ['"My Rig"'],
  },
  {
    name: 'choice',
    text: rig('adapter: zstack', 'adapter: zstak'),
    problems: ['value-wrong 6:14 coordinators[0].adapter'],
    says: ['did you mean "zstack"?', 'one of zstack, ember'],
  },
  {
    name: 'range',
    text: rig('channel: 15', 'channel: 27'),
    problems: ['value-wrong 11:16 coordinators[0].network.channel'],
    says: ['from 11 to 26', 'the number 27'],
  },
  {
    name: 'fraction',
    text: rig('channel: 15', 'channel: 15.5'),
    problems: ['value-wrong 11:16 coordinators[0].network.channel'],
  },
  {
    name: 'infinity',
    text: model('eraseBlockMs: 45', 'eraseBlockMs: .inf'),
    of: 'model',
    problems: ['value-wrong 21:17 flash.eraseBlockMs'],
  },
  {
    name: 'code too large',
    text: rig('0x1A62', '0x11A62'),
    problems: ['value-wrong 9:14 coordinators[0].network.panId'],
    says: ['the number 0x11A62', 'to 0xFFFE'],
  },
  {
    name: 'broadcast PAN id',
    text: rig('0x1A62', '"0xFFFF"'),
    problems: ['value-wrong 9:14 coordinators[0].network.panId'],
  },
  {
    name: 'code without 0x',
    text: model('0x121D', '121D'),
    of: 'model',
    problems: ['value-wrong 12:21 zigbee.manufacturerCode'],
    says: ['"121D"', 'written like 0x121D'],
  },
  {
    name: 'code is a boolean',
    text: model('0x121D', 'true'),
    of: 'model',
    problems: ['value-wrong 12:21 zigbee.manufacturerCode'],
  },
  {
    name: 'boolean',
    text: rig('    virtual: {}', '    rtscts: "no"\n    virtual: {}'),
    problems: ['value-wrong 13:13 coordinators[0].rtscts'],
    says: ['true or false'],
  },
  {
    name: 'port',
    text: rig('127.0.0.1:17000', '127.0.0.1:70000'),
    problems: ['value-wrong 7:11 coordinators[0].port'],
  },
  {
    name: 'port of a scheme',
    text: rig('tcp://127.0.0.1:17000', 'http://127.0.0.1:80'),
    problems: ['value-wrong 7:11 coordinators[0].port'],
  },
  {
    name: 'mapping for text',
    text: rig('state: state', 'state: {a: 1}'),
    problems: ['value-wrong 3:8 state'],
    says: ['a mapping'],
  },
  {
    name: 'broken key is not repeated',
    text: rig('generated', '"0123456789"'),
    problems: ['value-wrong 12:19 coordinators[0].network.networkKey'],
    hides: '0123456789',
  },
  {
    name: 'EUI-64 too short',
    text: rig('"00:0d:6f:00:00:00:00:01"', '"00:0d:6f"'),
    problems: ['value-wrong 18:12 devices[0].eui64'],
  },
  {
    name: 'EUI-64 of zeros',
    text: rig('00:0d:6f:00:00:00:00:01', '00:00:00:00:00:00:00:00'),
    problems: ['value-wrong 18:12 devices[0].eui64'],
  },
  {
    name: 'slot of odd size',
    text: model('524288', '524289'),
    of: 'model',
    problems: ['value-wrong 18:14 flash.slotBytes'],
    says: ['a multiple of eraseBlockBytes'],
  },
  {
    name: 'page of odd size',
    text: model('256\n  eraseBlockMs', '250\n  eraseBlockMs'),
    of: 'model',
    problems: ['value-wrong 19:20 flash.eraseBlockBytes'],
  },
  {
    name: 'several at once, in the order of lines',
    text: rig('rig: r', 'rig: R').replace('channel: 15', 'chanel: 15').replace('zstack', '3'),
    problems: [
      'value-wrong 1:6 rig',
      'value-wrong 6:14 coordinators[0].adapter',
      'key-unknown 11:7 coordinators[0].network.chanel',
    ],
  },

  // Text without quotes
  {
    name: 'EUI-64 as a number',
    text: rig('"00:0d:6f:00:00:00:00:01"', '1234567890123456'),
    problems: ['value-unquoted 18:12 devices[0].eui64'],
    says: ['an EUI-64 in quotes', 'put it in quotes: "1234567890123456"'],
  },
  {
    name: 'EUI-64 as infinity',
    text: rig('"00:0d:6f:00:00:00:00:01"', '0012400000e10001'),
    problems: ['value-unquoted 18:12 devices[0].eui64'],
    says: ['put it in quotes: "0012400000e10001"'],
  },
  {
    name: 'EUI-64 in hexadecimal',
    text: rig('"00:0d:6f:00:00:00:00:01"', '0x000d6f0000000001'),
    problems: ['value-unquoted 18:12 devices[0].eui64'],
  },
  {
    name: 'PAN id as a number',
    text: rig('"00124b0000017000"', '0012450000017000'),
    problems: ['value-unquoted 10:22 coordinators[0].network.extendedPanId'],
  },
  {
    name: 'Device Model as a number',
    text: model('"0084"', '0084'),
    of: 'model',
    problems: ['value-unquoted 7:10 deviceModel.model'],
    says: ['put it in quotes: "0084"'],
  },
  {
    name: 'key as a number is not repeated',
    text: rig('generated', '12345678901234567890123456789012'),
    problems: ['value-unquoted 12:19 coordinators[0].network.networkKey'],
    hides: '1234',
  },

  // References
  {
    name: 'unknown coordinator',
    text: rig('coordinator: zigbee-1', 'coordinator: zigbee-2'),
    problems: ['coordinator-unknown 17:18 devices[0].coordinator'],
    says: ['did you mean "zigbee-1"?'],
  },
  {
    name: 'virtual on a real coordinator',
    text: rig('    virtual: {}\n', ''),
    problems: ['coordinator-not-virtual 19:7 devices[0].virtual'],
  },
  {
    name: 'virtual ember',
    text: rig('zstack', 'ember'),
    problems: ['adapter-not-virtual 6:14 coordinators[0].adapter'],
  },
  {
    name: 'duplicate device',
    text: RIG + device('ppmid', '000d6f0000000002'),
    problems: ['id-duplicate 21:9 devices[1].id'],
    says: ['devices[0].id in line 15'],
  },
  {
    name: 'duplicate after counting',
    text: `${RIG}      count: 2\n${device('ppmid-2', '000d6f0000000009')}`,
    problems: ['id-duplicate 22:9 devices[1].id'],
  },
  {
    name: 'duplicate coordinator',
    text: withCoordinator('zigbee-1', 'tcp://127.0.0.1:17001'),
    problems: ['id-duplicate 14:9 coordinators[1].id'],
  },
  {
    name: 'duplicate EUI-64 in another notation',
    text: RIG + device('other', '0x000D6F0000000001'),
    problems: ['eui64-duplicate 24:12 devices[1].eui64'],
  },
  {
    name: 'duplicate EUI-64 after counting, once',
    text: `${RIG}      count: 9\n${device('other', '000d6f0000000002', '      firmware: old.zigbee\n      count: 5\n')}`,
    problems: ['eui64-duplicate 25:12 devices[1].eui64'],
  },
  {
    name: 'EUI-64 counted out of range',
    text: `${rig('00:0d:6f:00:00:00:00:01', 'fffffffffffffffd')}      count: 3\n`,
    problems: ['eui64-overflow 18:12 devices[0].eui64'],
  },
  {
    name: 'one port twice',
    text: withCoordinator('zigbee-2', 'tcp://localhost:17000'),
    problems: ['port-shared 16:11 coordinators[1].port'],
  },
  {
    name: 'too many devices',
    text: `${RIG}${Array.from({ length: 11 }, (_, i) => device(`d${i}`, `000d6f01${i.toString(16).padStart(2, '0')}000000`, '      firmware: old.zigbee\n      count: 1000\n')).join('')}`,
    problems: ['devices-too-many 84:5 devices[10]'],
  },
  {
    name: 'no such model',
    text: rig('model.yaml', 'modle.yaml'),
    problems: ['model-missing 16:12 devices[0].model'],
    says: ['did you mean "model.yaml"?'],
  },
  {
    name: 'no such firmware',
    text: rig('old.zigbee', 'new/old.zigbee'),
    problems: ['firmware-missing 20:17 devices[0].virtual.firmware'],
    says: ['there is no folder'],
  },
  {
    name: 'firmware is a folder',
    text: rig('old.zigbee', '.'),
    problems: ['firmware-missing 20:17 devices[0].virtual.firmware'],
    says: ['found folder at'],
  },
  {
    name: 'no such products list',
    text: `centralProductsList: x.csv\n${RIG}`,
    problems: ['products-list-missing 1:22 centralProductsList'],
  },
  {
    name: 'trust anchors that are not there',
    text: `trustAnchors: keys\n${RIG}`,
    problems: ['trust-anchors-missing 1:15 trustAnchors'],
  },
  {
    name: 'files of the admission section that are not there',
    text: `admission:\n  floors: f.json\n  certificates: [a.pem, old.zigbee]\n${RIG}`,
    problems: [
      'admission-file-missing 2:11 admission.floors',
      'admission-file-missing 3:18 admission.certificates[0]',
    ],
  },
  {
    name: 'an intake that is none',
    text: `admission: { intake: home }\n${RIG}`,
    problems: ['value-wrong 1:22 admission.intake'],
  },
  {
    name: 'a signer that is no EUI-64',
    text: `admission: { zseSigners: ["0012"] }\n${RIG}`,
    problems: ['value-wrong 1:27 admission.zseSigners[0]'],
  },

  // Devices on a line of their own
  {
    name: 'two hubs with one serial number',
    text: hubRig(
      '    port:',
      '    serialNumber: CH-1\n    port: tcp://127.0.0.1:9\n  - id: second\n    model: hub.yaml\n    serialNumber: CH-1\n    port:',
    ),
    problems: ['serial-number-duplicate 11:19 devices[1].serialNumber'],
  },
  {
    name: 'coordinator and port',
    text: hubRig('    port:', '    coordinator: zigbee-1\n    port:'),
    problems: ['device-kind-unclear 5:5 devices[0]'],
    says: ['expected either coordinator', 'found both'],
  },
  {
    name: 'coordinator and port beside all that a PPMID has',
    text: rig('    coordinator:', '    port: /dev/ttyUSB0\n    coordinator:'),
    problems: ['device-kind-unclear 15:5 devices[0]'],
    says: ['found both'],
  },
  {
    name: 'neither coordinator nor port',
    text: hubRig('    port: ports/hub\n', ''),
    problems: ['device-kind-unclear 5:5 devices[0]'],
    says: ['found neither'],
  },
  {
    name: 'port misspelt',
    text: hubRig('port:', 'prot:'),
    problems: ['device-kind-unclear 5:5 devices[0]'],
    says: ['found neither; did you mean "port"?'],
  },
  {
    name: 'coordinator misspelt',
    text: rig('coordinator: zigbee-1', 'cordinator: zigbee-1'),
    problems: ['key-unknown 17:5 devices[0].cordinator'],
    says: ['did you mean "coordinator"?'],
  },
  {
    name: 'text for a device',
    text: hubRig('devices:\n', 'devices:\n  - hub\n'),
    problems: ['value-wrong 5:5 devices[0]'],
    says: ['a mapping of keys and values, found "hub"'],
  },
  {
    name: 'key of a PPMID on a hub',
    text: hubRig('    port:', '    eui64: "000d6f0000000001"\n    baudRate: 9600\n    port:'),
    problems: ['key-unknown 7:5 devices[0].eui64'],
    says: [
      'one of the keys id, model, port, baudRate, installation, serialNumber, chf, power, buttons, virtual',
    ],
  },
  {
    name: 'misspelt fault of a hub',
    text: `${HUB_RIG}      faults: {babbel: 1}\n`,
    problems: ['key-unknown 10:16 devices[0].virtual.faults.babbel'],
    says: ['did you mean "babble"?'],
  },
  {
    name: 'fault of a hub out of range',
    text: `${HUB_RIG}      faults: {loss: 5, powerCutAtFlashOperation: [0]}\n`,
    problems: [
      'value-wrong 10:22 devices[0].virtual.faults.loss',
      'value-wrong 10:52 devices[0].virtual.faults.powerCutAtFlashOperation[0]',
    ],
    says: ['a probability from 0 to 1, found the number 5'],
  },
  {
    name: 'firmware of a hub missing',
    text: hubRig('old.zigbee', 'old.bin'),
    problems: ['firmware-missing 9:17 devices[0].virtual.firmware'],
  },
  {
    name: 'port of a hub with another scheme',
    text: hubRig('ports/hub', 'rfc2217://host:4000'),
    problems: ['value-wrong 7:11 devices[0].port'],
    says: ['usb:SERIAL'],
  },
  {
    name: 'port of a hub with no serial number',
    text: hubRig('ports/hub', '"usb:"'),
    problems: ['value-wrong 7:11 devices[0].port'],
  },
  {
    name: 'usb port of a coordinator',
    text: rig('tcp://127.0.0.1:17000', 'usb:FT4ABCDE'),
    problems: ['value-wrong 7:11 coordinators[0].port'],
  },
  {
    name: 'port of a hub as a number',
    text: hubRig('ports/hub', '4001'),
    problems: ['value-unquoted 7:11 devices[0].port'],
  },
  {
    name: 'virtual hub on a USB adapter',
    text: hubRig('ports/hub', 'usb:FT4ABCDE'),
    problems: ['port-not-virtual 7:11 devices[0].port'],
    says: ['found "usb:FT4ABCDE"'],
  },
  {
    name: 'virtual supply and button of a real hub',
    text: `${HUB_RIG}  - {id: hub-2, model: hub.yaml, port: other, power: {driver: virtual}, buttons: {reset: {driver: virtual}}}\n`,
    problems: [
      'power-not-virtual 10:63 devices[1].power.driver',
      'power-not-virtual 10:99 devices[1].buttons.reset.driver',
    ],
  },
  {
    name: 'a driver of no kind',
    text: hubRig('    virtual:', '    power: {driver: gpo}\n    virtual:'),
    problems: ['value-wrong 8:21 devices[0].power.driver'],
    says: ['one of command, gpio, usb-hub, modbus, shelly, rest, virtual'],
  },
  {
    name: 'a key of a driver that is misspelt',
    text: hubRig(
      '    virtual:',
      '    power: {driver: gpio, chip: gpiochip0, lin: 4}\n    virtual:',
    ),
    problems: ['key-unknown 8:44 devices[0].power.lin'],
    says: ['did you mean "line"?'],
  },
  {
    name: 'two hubs on one port',
    text: `${HUB_RIG}  - {id: hub-2, model: hub.yaml, port: ./ports/../ports/hub}\n`,
    problems: ['port-shared 10:40 devices[1].port'],
    says: ['devices[0].port in line 7'],
  },
  {
    name: 'hub on the port of a coordinator',
    text: `${RIG}  - {id: hub, model: hub.yaml, port: "tcp://LOCALHOST:17000"}\n`,
    problems: ['port-shared 21:38 devices[1].port'],
    says: ['coordinators[0].port in line 7'],
  },
  {
    name: 'hub with the id of a PPMID',
    text: `${RIG}  - {id: ppmid, model: hub.yaml, port: p}\n`,
    problems: ['id-duplicate 21:10 devices[1].id'],
  },
  {
    name: 'no such model of a hub',
    text: hubRig('hub.yaml', 'hbu.yaml'),
    problems: ['model-missing 6:12 devices[0].model'],
    says: ['did you mean "hub.yaml"?'],
  },

  // Models of hubs
  {
    name: 'unknown protocol',
    text: hub('protocol: smp', 'protocol: xmodem'),
    of: 'hub',
    problems: ['value-wrong 12:13 serial.protocol'],
    says: ['one of smp, gecko-bootloader, ember-bootloader'],
  },
  {
    name: 'profile of another protocol',
    text: hub('mcuboot', 'gbl'),
    of: 'hub',
    problems: ['value-wrong 10:15 imageProfile'],
    says: ['mcuboot with smp'],
  },
  {
    name: 'smp without settings',
    text: hub('smp: {recovery: line-steps}\n', ''),
    of: 'hub',
    problems: ['key-missing 1:1 smp'],
    says: ['"smp: {}" takes the defaults'],
  },
  {
    name: 'settings of smp without smp',
    text: hub('protocol: smp', 'protocol: gecko-bootloader').replace('mcuboot', 'gbl'),
    of: 'hub',
    problems: ['value-wrong 19:6 smp'],
    says: ['serial.protocol is not smp'],
  },
  {
    name: 'recovery by steps that are not there',
    text: HUB_MODEL.replace(/ {2}enterBootloader:\n( {4}.*\n)+/, ''),
    of: 'hub',
    problems: ['value-wrong 14:17 smp.recovery'],
  },
  {
    name: 'step of two kinds',
    text: hub('{breakMs: 250}', '{breakMs: 250, rts: true}'),
    of: 'hub',
    problems: ['value-wrong 16:7 serial.enterBootloader[1]'],
    says: ['one of: rts and dtr, or breakMs, or send; or waitMs alone'],
  },
  {
    name: 'step of nothing',
    text: hub('{breakMs: 250}', '{}'),
    of: 'hub',
    problems: ['value-wrong 16:7 serial.enterBootloader[1]'],
  },
  {
    name: 'step misspelt',
    text: hub('{breakMs: 250}', '{rst: true}'),
    of: 'hub',
    problems: ['key-unknown 16:8 serial.enterBootloader[1].rst'],
    says: ['did you mean "rts"?'],
  },
  {
    name: 'break for a minute',
    text: hub('breakMs: 250', 'breakMs: 60000'),
    of: 'hub',
    problems: ['value-wrong 16:17 serial.enterBootloader[1].breakMs'],
  },
  {
    name: 'text to send that is no bytes',
    text: hub(String.raw`"\x03\n"`, '"\u2192"'),
    of: 'hub',
    problems: ['value-wrong 17:14 serial.enterBootloader[2].send'],
    says: ['each of one byte'],
  },
  {
    name: 'window of nothing',
    text: hub('recovery: line-steps', 'windowMax: 0'),
    of: 'hub',
    problems: ['value-wrong 19:18 smp.windowMax'],
  },
  {
    name: 'pattern of a version that is none',
    text: bootloaderHub("  applicationVersion: {pattern: 'v(a|b)'}"),
    of: 'hub',
    problems: ['value-wrong 14:33 serial.applicationVersion.pattern'],
    says: ['character 4 has'],
  },
  {
    name: 'pattern of a version without a group',
    text: bootloaderHub("  applicationVersion: {pattern: 'v[0-9]+'}"),
    of: 'hub',
    problems: ['value-wrong 14:33 serial.applicationVersion.pattern'],
    says: ['no group'],
  },
  {
    name: 'an answer awaited for an hour',
    text: bootloaderHub("  applicationVersion: {pattern: 'v([0-9]+)', withinMs: 3600000}"),
    of: 'hub',
    problems: ['value-wrong 14:56 serial.applicationVersion.withinMs'],
  },
  {
    name: 'version of an application over smp',
    text: hub(
      '  enterBootloader:',
      "  applicationVersion: {pattern: 'v([0-9]+)'}\n  enterBootloader:",
    ),
    of: 'hub',
    problems: ['value-wrong 14:23 serial.applicationVersion'],
    says: ['over smp a hub lists its version'],
  },
  {
    name: 'chunks that the buffer of a hub does not hold',
    text: hub('recovery: line-steps', 'chunkAlignmentBytes: 161'),
    of: 'hub',
    problems: ['value-wrong 19:28 smp.chunkAlignmentBytes'],
    says: ['at most 96 less than smp.assumedBufferBytes'],
  },
  {
    name: 'baud rate of nothing',
    text: hub('57600', '0'),
    of: 'hub',
    problems: ['value-wrong 13:13 serial.baudRate'],
  },
  {
    name: 'hub with a slot of odd size',
    text: hub('524288', '524289'),
    of: 'hub',
    problems: ['value-wrong 21:14 flash.slotBytes'],
  },
  { name: "a PPMID's model for a hub's", text: MODEL, of: 'hub', problems: ['file-other-kind -'] },
  {
    name: "a hub's model for a PPMID's",
    text: HUB_MODEL,
    of: 'model',
    problems: ['file-other-kind -'],
  },
];

test.after(removeFolders);

const FILES = {
  rig: ['rig.yaml', loadRig],
  model: ['model.yaml', loadPpmidModel],
  hub: ['hub.yaml', loadHubModel],
} as const;

for (const wrong of CASES) {
  test(wrong.name, () => {
    const [name, load] = FILES[wrong.of ?? 'rig'];
    const path = join(newFolder({ [name]: wrong.text }), name);
    const problems = problemsOf(() => load(path));
    for (const { code } of problems) told.add(code);
    assert.equal(problems.slice(0, wrong.problems.length).map(summary), wrong.problems);
    const more = problems
      .slice(wrong.problems.length)
      .filter(({ code }) => !code.startsWith('yaml-'));
    assert.equal(more, [], 'no further problem');
    const message = messageOf(() => load(path));
    for (const part of wrong.says ?? []) assert.ok(message.includes(part), `${part} in ${message}`);
    if (wrong.hides) assert.not.ok(message.includes(wrong.hides), message);

    function summary({ code, line, column, key }: (typeof problems)[number]): string {
      const place = line === undefined ? '-' : `${line}:${column}`;
      const anyPlace = wrong.problems.includes(`${code} *`) ? '*' : place;
      return `${code} ${anyPlace}${key ? ` ${key}` : ''}`;
    }
  });
}

test('a wrong model is told at the rig and in its own lines', () => {
  const folder = newFolder({ 'model.yaml': model('kind: ppmid', 'kind: hub') });
  const problems = problemsOf(() => loadRig(join(folder, 'rig.yaml')));
  assert.equal(
    problems.map(({ code, file, line, key }) => [code, file, line, key]),
    [
      ['model-wrong', join(folder, 'rig.yaml'), 16, 'devices[0].model'],
      ['value-wrong', join(folder, 'model.yaml'), 2, 'kind'],
    ],
  );
  told.add('model-wrong');
});

test('settings of SMP for a virtual hub that does not speak it', () => {
  const text = hub('protocol: smp', 'protocol: gecko-bootloader')
    .replace('mcuboot', 'gbl')
    .replace('smp: {recovery: line-steps}\n', '');
  const folder = newFolder({
    'rig.yaml': `${HUB_RIG}      smp: {poolLines: 8}\n`,
    'hub.yaml': text,
  });
  const [problem] = problemsOf(() => loadRig(join(folder, 'rig.yaml')));
  assert.is(problem!.code, 'protocol-other');
  assert.is(problem!.key, 'devices[0].virtual.smp');
  assert.match(problem!.expected, 'speaks gecko-bootloader');
  for (const fault of ['crashAfterActivationMs: 5', 'losesSlotOnPowerCut: true']) {
    const rig = `${HUB_RIG}      faults: {${fault}}\n`;
    const other = newFolder({ 'rig.yaml': rig, 'hub.yaml': text });
    const [found] = problemsOf(() => loadRig(join(other, 'rig.yaml')));
    assert.is(found!.key, `devices[0].virtual.faults.${fault.split(':')[0]}`);
  }
  told.add('protocol-other');
});

test('a model of the wrong kind is told at the rig', () => {
  for (const [text, model] of [
    [RIG, 'model.yaml'],
    [HUB_RIG, 'hub.yaml'],
  ] as const) {
    const other = model === 'model.yaml' ? 'hub.yaml' : 'model.yaml';
    const folder = newFolder({ 'rig.yaml': edited(text, model, other) });
    const codes = problemsOf(() => loadRig(join(folder, 'rig.yaml'))).map(({ code }) => code);
    assert.equal(codes, ['model-wrong', 'file-other-kind']);
  }
});

test('a missing rig names the ones that there are', () => {
  const folder = newFolder();
  const [problem] = problemsOf(() => loadRig(join(folder, 'nothing-like-it.yaml')));
  assert.is(problem!.code, 'file-missing');
  assert.ok(problem!.next!.includes(join(folder, 'rig.yaml')));
  assert.ok(problem!.next!.includes('hw-config/rigs/virtual-ppmid.yaml'));
  const [near] = problemsOf(() => loadRig('hw-config/rigs/virtual-ppmd.yaml'));
  assert.match(near!.next!, 'did you mean hw-config/rigs/virtual-ppmid.yaml?');
  told.add('file-missing');
});

test('paths that no system takes are missing files, not crashes', () => {
  for (const path of ['a\0b', 'x'.repeat(5000), 'package.json/rig.yaml', '']) {
    const [problem] = problemsOf(() => loadRig(path));
    assert.ok(problem!.code === 'file-missing' || problem!.code === 'file-is-folder', path);
  }
});

test('a folder names the YAML files in it', () => {
  const folder = newFolder();
  const [problem] = problemsOf(() => loadRig(folder));
  assert.is(problem!.code, 'file-is-folder');
  assert.ok(problem!.next!.includes(join(folder, 'rig.yaml')));
  told.add('file-is-folder');
});

test('a pipe is refused before it could block', () => {
  const folder = newFolder();
  execFileSync('mkfifo', [join(folder, 'pipe.yaml')]);
  assert.is(problemsOf(() => loadRig(join(folder, 'pipe.yaml')))[0]!.code, 'file-unreadable');
  told.add('file-unreadable');
});

test('a file without permission is refused', () => {
  const folder = newFolder();
  chmodSync(join(folder, 'rig.yaml'), 0);
  if (process.getuid?.() === 0) return;
  assert.is(problemsOf(() => loadRig(join(folder, 'rig.yaml')))[0]!.code, 'file-unreadable');
});

test('a file of nothing but wrong keys is told in a hundred lines, and soon', () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n');
  const path = join(newFolder({ 'rig.yaml': keys }), 'rig.yaml');
  const startedMs = performance.now();
  const message = messageOf(() => loadRig(path));
  assert.ok(performance.now() - startedMs < 20_000, 'not quadratic');
  assert.is(message.split('\n').at(-1), 'and 19904 more');
});

test('time grows with the lines in error, and not with their square', () => {
  const text = "     001' }\n    gsme:\n ".repeat(4_000);
  const path = join(newFolder({ 'rig.yaml': text }), 'rig.yaml');
  const startedMs = performance.now();
  assert.match(
    messageOf(() => loadRig(path)),
    'well-formed YAML',
  );
  assert.ok(performance.now() - startedMs < 20_000, 'not quadratic');
});

test('every truncation of a file and every changed byte ends in a value or a ConfigError', () => {
  for (const [name, text, load] of [
    ['rig.yaml', RIG, loadRig],
    ['rig.yaml', HUB_RIG, loadRig],
    ['hub.yaml', HUB_MODEL, loadHubModel],
  ] as const) {
    const path = join(newFolder(), name);
    const bytes = new TextEncoder().encode(text);
    let refused = 0;
    for (let at = 0; at < bytes.length; at++) {
      const flipped = bytes.slice();
      flipped[at] = flipped[at]! ^ (1 << (at % 8));
      for (const changed of [bytes.subarray(0, at), flipped]) {
        writeFileSync(path, changed);
        try {
          load(path);
        } catch (error) {
          problemsOf(() => {
            throw error;
          });
          refused++;
        }
      }
    }
    assert.ok(refused > bytes.length, `${refused} of ${name} refused`);
  }
});

test('every code has a test', () => {
  assert.equal(
    Object.keys(CONFIG_CODES).filter(
      (code) => !(code in GATEWAY_CODES) && !(code in SCENARIO_CODES) && !told.has(code),
    ),
    [],
  );
});

function messageOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

/** Four levels of ten: ten thousand values from forty words. */
function bomb(): string {
  const ten = (word: string) => `[${Array(9).fill(word).join(',')}]`;
  return `a: &a ${ten('1')}\nb: &b ${ten('*a')}\nc: &c ${ten('*b')}\nd: &d ${ten('*c')}\n`;
}

test.run();
