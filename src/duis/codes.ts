/** Why a response is not read as an inventory. Codes are never reused. */
import type { XmlCode } from '../xml/codes.ts';

export const INVENTORY_CODES = {
  'response-other-root': 'The document is no Response of the DCC User Interface.',
  'response-no-inventory': 'The response carries no inventory.',
  'element-missing': 'An element is missing.',
  'element-repeated': 'An element that may stand once stands twice.',
  'device-id-invalid': 'A DeviceID is no EUI-64.',
  'device-repeated': 'Two devices have one DeviceID.',
  'devices-too-many': 'The inventory has more devices than it can have.',
  'text-invalid': 'A text is longer than the schema allows, or empty.',
} as const;

export type InventoryCode = keyof typeof INVENTORY_CODES | XmlCode;
