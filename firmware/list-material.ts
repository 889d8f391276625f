/**
 * Lists to try readiness with: products, eligible and pending combinations, installations. Test
 * material: no manufacturer made these devices, no installation has them, and each file says so. The
 * hashes are those of phrases.
 */
import { createHash } from 'node:crypto';

/** Manufacturer of every Device Model here. */
const MANUFACTURER = 'A001';
const MODELS = { hub: '0001', esme: '0002', gsme: '0003', ppmid: '0004' } as const;
type Kind = keyof typeof MODELS;

const HEADING = '# TEST MATERIAL. Written by firmware/list-material.ts; names no real device.';
const DEVICE_TYPES = { hub: 'CHF', esme: 'ESME', gsme: 'GSME', ppmid: 'PPMID' } as const;

interface TestEntry {
  id: string;
  kind: Kind;
  version: string;
  from: string;
  expedited?: readonly [purpose: string, addedOn: string, ppctReference: string];
}

const ENTRIES: readonly TestEntry[] = [
  { id: 'HUB-1', kind: 'hub', version: '00000001', from: 'N/A' },
  { id: 'HUB-2', kind: 'hub', version: '00000002', from: 'HUB-1' },
  { id: 'ESME-1', kind: 'esme', version: '00000001', from: 'N/A' },
  {
    id: 'ESME-2',
    kind: 'esme',
    version: '00000002',
    from: 'ESME-1',
    expedited: ['Security', '2021-09-01', 'PPCT-1'],
  },
  { id: 'ESME-3', kind: 'esme', version: '00000003', from: 'ESME-2' },
  { id: 'GSME-1', kind: 'gsme', version: '00000001', from: 'N/A' },
  { id: 'GSME-2', kind: 'gsme', version: '00000002', from: '' },
  { id: 'PPMID-1', kind: 'ppmid', version: '00000001', from: 'N/A' },
];

const PRODUCT_COLUMNS =
  'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
  'manufacturer_image_hash,status,listed_from,removed_from,upgrade_from,generation,' +
  'expedited_purpose,expedited_added_on,ppct_reference';

/** As another party might publish the same: other headings, dates and words, one column joined. */
const OTHER_COLUMNS =
  'CPL Entry ID,Device Type,Manufacturer,Model,HW Version,HW Revision,Firmware Version,' +
  'Manufacturer Image Hash,Standing,Date Added,Date Removed,Upgrade From,Note';

const COMBINATIONS: readonly string[] = [
  'HUB-2 ESME-1 GSME-1',
  'HUB-2 ESME-1 GSME-2',
  'HUB-1 ESME-3 GSME-1 PPMID-1',
];

const INSTALLATIONS: readonly [devices: string, rest: string][] = [
  ['HUB-2 ESME-1 GSME-1', 'MOC,no,SUPPLIER-A,SUPPLIER-A,not-started'],
  ['HUB-1 ESME-1 GSME-1', 'FOC,yes,SUPPLIER-A,SUPPLIER-B,not-started'],
  ['HUB-1 ESME-1 GSME-1 PPMID-1', 'FOC,no,SUPPLIER-A,SUPPLIER-A,not-started'],
  ['HUB-1 ESME-1', 'IOC,no,SUPPLIER-A,,not-started'],
  ['HUB-2 ESME-3 GSME-1', 'IOC,no,SUPPLIER-A,SUPPLIER-A,not-started'],
  ['HUB-2 ESME-1 GSME-2', 'IOC,no,SUPPLIER-A,SUPPLIER-A,migrated'],
];

/** File to bytes. */
export function buildListMaterial(): Map<string, Uint8Array> {
  const files: [string, readonly string[]][] = [
    ['products.csv', [PRODUCT_COLUMNS, ...ENTRIES.map(productLine)]],
    ['products-other-columns.csv', [OTHER_COLUMNS, ...ENTRIES.map(otherLine)]],
    [
      'eligible-combinations.csv',
      [
        'combination_id,provider,communications_hub,esme,gsme,ppmid,added_on',
        ...COMBINATIONS.map((ids, at) => `EPC-${at + 1},CSP-N,${modelCells(ids)},2021-01-01`),
      ],
    ],
    [
      'pending-combinations.csv',
      [
        'ppct_reference,provider,communications_hub,esme,gsme,ppmid,opened_on,outcome,closed_on',
        `PPCT-1,CSP-N,${modelCells('HUB-1 ESME-2 GSME-1 PPMID-1')},2021-08-01,open,`,
      ],
    ],
    [
      'installations.csv',
      [
        'installation_id,provider,communications_hub,esme,gsme,ppmid,cohort,profile_data_push,' +
          'electricity_supplier,gas_supplier,migration',
        ...INSTALLATIONS.map(
          ([ids, rest], at) => `HOME-${at + 1},CSP-N,${modelCells(ids)},${rest}`,
        ),
      ],
    ],
  ];
  const encoder = new TextEncoder();
  return new Map(
    files.map(([file, lines]) => [
      `lists/${file}`,
      encoder.encode(`${[HEADING, ...lines].join('\n')}\n`),
    ]),
  );
}

function productLine({ id, kind, version, from, expedited }: TestEntry): string {
  const model = `${DEVICE_TYPES[kind]},${MANUFACTURER},${MODELS[kind]},01,00,${version}`;
  const [purpose, addedOn, reference] = expedited ?? ['', '', ''];
  const rest = `Current,2021-01-01,,${from},SMETS1,${purpose},${addedOn},${reference}`;
  return `${id},${model},${hashOf(id)},${rest}`;
}

function otherLine({ id, kind, version, from }: TestEntry): string {
  const model = `${DEVICE_TYPES[kind]},${MANUFACTURER},${MODELS[kind]},01,00,${version}`;
  return `${id},${model},${hashOf(id)},Live,01/01/2021,,${from},`;
}

function hashOf(id: string): string {
  return createHash('sha256').update(`UPLIFT TEST ${id}`).digest('hex');
}

/** The cells of hub, ESME, GSME and PPMID. */
function modelCells(ids: string): string {
  const entries = ids.split(' ').map((id) => ENTRIES.find((entry) => entry.id === id)!);
  return (Object.keys(MODELS) as Kind[])
    .map((kind) =>
      entries
        .filter((entry) => entry.kind === kind)
        .map(({ version }) => `${MANUFACTURER}:${MODELS[kind]}:01:00:${version}`)
        .join(';'),
    )
    .join(',');
}
