/**
 * A coordinator's network as its NV memory holds it, in the layouts of Z-Stack 3.x.0 with aligned
 * structures (item NWKKEY of 24 bytes tells the host which alignment it is).
 *
 * NIB offsets, aligned: security level 12, transaction persistence 16, own address 22, channel 24,
 * coordinator EUI-64 28, PAN id 36, state 38, channel mask 40, beacon order 44, superframe order 45,
 * extended PAN id 57, key loaded 65, manager 110.
 */
import { encodeHex, eui64ToWire } from '../../bytes/hex.ts';
import { ByteReader } from '../../bytes/reader.ts';
import { ByteWriter } from '../../bytes/writer.ts';
import type { NvMemory } from './nv.ts';

export const NV_ITEM = {
  extendedAddress: 0x0001,
  startupOption: 0x0003,
  nib: 0x0021,
  extendedPanId: 0x002d,
  activeKeyInfo: 0x003a,
  alternateKeyInfo: 0x003b,
  apsUseExtendedPanId: 0x0047,
  apsLinkKeyTable: 0x004c,
  hasConfigured: 0x0060,
  preconfiguredKey: 0x0062,
  preconfiguredKeysEnable: 0x0063,
  networkKey: 0x0082,
  panId: 0x0083,
  channelMask: 0x0084,
  logicalType: 0x0087,
  directCallback: 0x008f,
  trustCentreSeed: 0x0101,
} as const;

/** Item `hasConfigured` holds this once the driver has formed its network. */
const CONFIGURED = 0x55;
const NIB_BYTES = 116;
const KEY_INFO_BYTES = 18;
const NWK_KEY_BYTES = 24;
/** Entries a table has: enough for the driver's own backup and restore to work. */
const TABLE_ENTRIES = 8;
/** System 1: address manager, trust centre link keys, APS keys, network frame counters. */
const TABLES = [
  { item: 1, bytes: 12, fill: 0xff },
  { item: 4, bytes: 20, fill: 0x00 },
  { item: 6, bytes: 24, fill: 0x00 },
  { item: 7, bytes: 12, fill: 0x00 },
] as const;
/** State byte of a NIB whose network runs. */
const NIB_STATE_ROUTER = 8;
/** How long a parent keeps a frame for a sleeping child, seconds (NIB, transaction persistence time). */
export const PERSISTENCE_SECONDS = 7;
export const DEFAULT_CHANNEL = 11;

/** What a network is; the extended PAN id as 16 digits, the key as 32. */
export interface NetworkParameters {
  panId: number;
  extendedPanId: string;
  channel: number;
  networkKey: string;
}

/** What every coordinator has in its memory when it leaves the factory. */
export function seedBlank(nv: NvMemory): void {
  nv.setItem(NV_ITEM.startupOption, Uint8Array.of(0));
  nv.setItem(NV_ITEM.networkKey, new Uint8Array(NWK_KEY_BYTES));
  nv.setItem(NV_ITEM.preconfiguredKey, new Uint8Array(16));
  nv.setItem(NV_ITEM.preconfiguredKeysEnable, Uint8Array.of(1));
  nv.setItem(NV_ITEM.apsLinkKeyTable, new Uint8Array(2 + 6 * TABLE_ENTRIES));
  clearKeys(nv);
  for (const { item, bytes, fill } of TABLES) {
    for (let sub = 0; sub < TABLE_ENTRIES; sub++) {
      nv.setTableEntry(1, item, sub, new Uint8Array(bytes).fill(fill));
    }
  }
}

/** The memory after the driver has formed this network: the next start resumes it. */
export function seedFormed(nv: NvMemory, network: NetworkParameters, eui64: string): void {
  seedBlank(nv);
  const extendedPanId = eui64ToWire(network.extendedPanId)!;
  nv.setItem(NV_ITEM.logicalType, Uint8Array.of(0));
  nv.setItem(NV_ITEM.directCallback, Uint8Array.of(1));
  nv.setItem(NV_ITEM.panId, u16(network.panId));
  nv.setItem(NV_ITEM.channelMask, u32(1 << network.channel));
  nv.setItem(NV_ITEM.extendedPanId, extendedPanId);
  nv.setItem(NV_ITEM.apsUseExtendedPanId, extendedPanId);
  nv.setItem(NV_ITEM.preconfiguredKey, keyBytes(network.networkKey));
  nv.setItem(NV_ITEM.hasConfigured, Uint8Array.of(CONFIGURED));
  writeNetwork(nv, network, eui64);
}

/** What forming a network writes: the NIB, the keys and a frame counter. */
export function writeNetwork(nv: NvMemory, network: NetworkParameters, eui64: string): void {
  const keyInfo = new Uint8Array(KEY_INFO_BYTES);
  keyInfo.set(keyBytes(network.networkKey), 1);
  nv.setItem(NV_ITEM.activeKeyInfo, keyInfo);
  nv.setItem(NV_ITEM.alternateKeyInfo, keyInfo);
  const counter = new ByteWriter(new Uint8Array(12));
  counter.u32(1000).raw(eui64ToWire(network.extendedPanId)!);
  nv.setTableEntry(1, 7, 0, counter.written());
  nv.setItem(NV_ITEM.nib, encodeNib(network, eui64));
}

/** The network that a reset or a factory-new start forms, from the items the driver has written. */
export function readCommissioning(nv: NvMemory, channelMask: number): NetworkParameters {
  const panId = nv.item(NV_ITEM.panId);
  const extendedPanId = nv.item(NV_ITEM.extendedPanId);
  const key = nv.item(NV_ITEM.preconfiguredKey);
  return {
    panId: panId === undefined ? 0xffff : new ByteReader(panId).u16(),
    extendedPanId: encodeHex((extendedPanId ?? new Uint8Array(8)).slice().reverse()),
    channel: channelMask === 0 ? DEFAULT_CHANNEL : 31 - Math.clz32(channelMask & -channelMask),
    networkKey: encodeHex(key ?? new Uint8Array(16)),
  };
}

/** The network the memory holds; `undefined` where there is none. */
export function readNetwork(nv: NvMemory): NetworkParameters | undefined {
  const nib = nv.item(NV_ITEM.nib);
  const keyInfo = nv.item(NV_ITEM.activeKeyInfo);
  if (nib === undefined || keyInfo === undefined || nib.length !== NIB_BYTES) return undefined;
  return {
    panId: new ByteReader(nib, 36).u16(),
    extendedPanId: encodeHex(nib.slice(57, 65).reverse()),
    channel: nib[24]!,
    networkKey: encodeHex(keyInfo.subarray(1, 17)),
  };
}

/** A reset that clears the network state: no NIB, no keys. */
export function clearNetwork(nv: NvMemory): void {
  nv.deleteItem(NV_ITEM.nib);
  clearKeys(nv);
}

export function changeChannel(nv: NvMemory, channel: number): void {
  nv.patchItem(NV_ITEM.nib, 24, Uint8Array.of(channel));
}

function encodeNib(network: NetworkParameters, eui64: string): Uint8Array {
  const nib = new Uint8Array(NIB_BYTES);
  nib[12] = 5;
  nib.set(u16(PERSISTENCE_SECONDS), 16);
  nib[24] = network.channel;
  nib.set(eui64ToWire(eui64)!, 28);
  nib.set(u16(network.panId), 36);
  nib[38] = NIB_STATE_ROUTER;
  nib.set(u32(1 << network.channel), 40);
  nib[44] = 15;
  nib[45] = 15;
  nib.set(eui64ToWire(network.extendedPanId)!, 57);
  nib[65] = 1;
  return nib;
}

/** The driver reads both key items at every start and cannot do without them, so they stay, empty. */
function clearKeys(nv: NvMemory): void {
  nv.setItem(NV_ITEM.activeKeyInfo, new Uint8Array(KEY_INFO_BYTES));
  nv.setItem(NV_ITEM.alternateKeyInfo, new Uint8Array(KEY_INFO_BYTES));
}

function keyBytes(key: string): Uint8Array {
  return Uint8Array.from(Buffer.from(key, 'hex'));
}

function u16(value: number): Uint8Array {
  return new ByteWriter(new Uint8Array(2)).u16(value).written();
}

function u32(value: number): Uint8Array {
  return new ByteWriter(new Uint8Array(4)).u32(value).written();
}
