/**
 * The devices in an answer to Service Request 8.2, read inventory (DUIS schemas 5.0a to 5.4).
 *
 * Element names, order-free: sr:Response / sr:Body / sr:ResponseMessage / sr:DSPInventory / sr:Device,
 * 1 to 17 of them. Whoever reads a response has to verify its signature first; nothing here does. An
 * inventory says nothing of provider, suppliers, cohort or profile data, so it makes the devices of an
 * installation, never a whole one.
 */
import { parseEui64 } from '../bytes/hex.ts';
import type { CombinationDevice, DeviceKind } from '../products/combinations.ts';
import {
  type DeviceModel,
  isFirmwareVersion,
  MODEL_CHARACTERS_MAX,
} from '../products/device-model.ts';
import { parseXml, type XmlElement } from '../xml/strict-xml.ts';
import { INVENTORY_CODES, type InventoryCode } from './codes.ts';
import { SERVICE_NAMESPACE } from './schema-values.ts';

/** In one answer. */
const DEVICES_MAX = 17;
/** An answer of 17 devices has some 20 KiB. */
const RESPONSE_BYTES_MAX = 1_048_576;
/** Of one text: the longest are the certificates of a signature. */
const TEXT_CHARACTERS_MAX = 16_384;

export interface InventoryDevice {
  /** 16 lower-case digits. */
  deviceId: string;
  /** ESME, GSME, GPF, CHF, HCALCS, PPMID, IHD or CAD. */
  deviceType: string;
  manufacturer: string;
  /** As the DCC writes it; see `splitDeviceModel`. */
  model: string;
  firmwareVersion?: string;
  deviceStatus?: string;
  /** The DCC's words, for the Device Model and for its firmware; they need not agree. */
  cplStatus?: string;
  firmwareVersionStatus?: string;
  region?: string;
}

export interface InventoryFault {
  ok: false;
  code: InventoryCode;
  message: string;
  line: number;
  column: number;
  /** The element that it is about. */
  element?: string;
}

export type InventoryResult = { ok: true; devices: InventoryDevice[] } | InventoryFault;

export function parseInventoryResponse(bytes: Uint8Array): InventoryResult {
  const parsed = parseXml(bytes, {
    limits: { bytesMax: RESPONSE_BYTES_MAX, textCharactersMax: TEXT_CHARACTERS_MAX },
  });
  if (!parsed.ok) return parsed;
  const { root } = parsed;
  if (root.name !== 'Response' || root.namespace !== SERVICE_NAMESPACE) {
    return fault('response-other-root', root);
  }
  let at = root;
  for (const name of ['Body', 'ResponseMessage', 'DSPInventory']) {
    const found = childrenOf(at, name);
    if (found.length > 1) return fault('element-repeated', found[1]!);
    if (!found[0]) return fault('response-no-inventory', at);
    at = found[0];
  }
  const elements = childrenOf(at, 'Device');
  if (elements.length === 0) return fault('element-missing', at, 'Device');
  if (elements.length > DEVICES_MAX) return fault('devices-too-many', elements[DEVICES_MAX]!);
  const devices: InventoryDevice[] = [];
  for (const element of elements) {
    const device = readDevice(element);
    if ('ok' in device) return device;
    if (devices.some(({ deviceId }) => deviceId === device.deviceId)) {
      return fault('device-repeated', element);
    }
    devices.push(device);
  }
  return { ok: true, devices };
}

/**
 * Model, hardware version and hardware revision out of eight hexadecimal digits: four, two and two
 * (assumed: seen in samples, stated nowhere). `undefined` for every other form.
 */
export function splitDeviceModel(
  text: string,
): Pick<DeviceModel, 'model' | 'hardwareVersion' | 'hardwareRevision'> | undefined {
  const parts = /^([0-9A-F]{4})([0-9A-F]{2})([0-9A-F]{2})$/i.exec(text.trim());
  if (!parts) return undefined;
  return { model: parts[1]!, hardwareVersion: parts[2]!, hardwareRevision: parts[3]! };
}

/** CHF is the hub; GPF is part of it (inferred) and adds nothing; the rest is in no combination. */
const KIND_OF_TYPE: ReadonlyMap<string, DeviceKind> = new Map([
  ['CHF', 'communications_hub'],
  ['ESME', 'esme'],
  ['GSME', 'gsme'],
  ['PPMID', 'ppmid'],
]);

/**
 * The devices that count for a combination. Those whose Device Model cannot be told are `unresolved`:
 * a combination without them would be another one.
 */
export function combinationDevices(inventory: readonly InventoryDevice[]): {
  devices: CombinationDevice[];
  unresolved: InventoryDevice[];
} {
  const devices: CombinationDevice[] = [];
  const unresolved: InventoryDevice[] = [];
  for (const device of inventory) {
    const kind = KIND_OF_TYPE.get(device.deviceType);
    if (!kind) continue;
    const hardware = splitDeviceModel(device.model);
    const { manufacturer, firmwareVersion } = device;
    if (hardware && firmwareVersion !== undefined) {
      devices.push({ kind, deviceModel: { manufacturer, ...hardware, firmwareVersion } });
    } else unresolved.push(device);
  }
  return { devices, unresolved };
}

function readDevice(element: XmlElement): InventoryDevice | InventoryFault {
  const texts = new Map<string, string>();
  for (const child of element.children) {
    if (child.namespace !== SERVICE_NAMESPACE) continue;
    if (texts.has(child.name)) return fault('element-repeated', child);
    texts.set(child.name, child.text);
  }
  for (const name of ['DeviceID', 'DeviceType', 'DeviceManufacturer', 'DeviceModel']) {
    if (!texts.has(name)) return fault('element-missing', element, name);
  }
  const manufacturer = texts.get('DeviceManufacturer')!;
  const model = texts.get('DeviceModel')!;
  const firmwareVersion = texts.get('DeviceFirmwareVersion');
  // The schema's token: pairs of digits with hyphens, blanks around them.
  const written = texts.get('DeviceID')!.trim();
  const isEui = /^[0-9A-F]{2}(-[0-9A-F]{2}){7}$/i.test(written);
  const deviceId = isEui ? parseEui64(written) : undefined;
  if (deviceId === undefined) return fault('device-id-invalid', element, 'DeviceID');
  for (const [name, text] of [
    ['DeviceManufacturer', manufacturer],
    ['DeviceModel', model],
  ] as const) {
    const isGood = text.trim() !== '' && text.length <= MODEL_CHARACTERS_MAX;
    if (!isGood) return fault('text-invalid', element, name);
  }
  if (firmwareVersion !== undefined && !isFirmwareVersion(firmwareVersion)) {
    return fault('text-invalid', element, 'DeviceFirmwareVersion');
  }
  const device: InventoryDevice = {
    deviceId,
    deviceType: texts.get('DeviceType')!.trim(),
    manufacturer,
    model,
  };
  if (firmwareVersion !== undefined) device.firmwareVersion = firmwareVersion;
  for (const [field, name] of OPTIONAL) {
    const text = texts.get(name)?.trim();
    if (text) device[field] = text;
  }
  return device;
}

const OPTIONAL = [
  ['deviceStatus', 'DeviceStatus'],
  ['cplStatus', 'CPLStatus'],
  ['firmwareVersionStatus', 'DeviceFirmwareVersionStatus'],
  ['region', 'CSPRegion'],
] as const;

function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter(
    (child) => child.name === name && child.namespace === SERVICE_NAMESPACE,
  );
}

function fault(
  code: keyof typeof INVENTORY_CODES,
  { line, column, name }: XmlElement,
  element: string = name,
): InventoryFault {
  return { ok: false, code, message: INVENTORY_CODES[code], line, column, element };
}
