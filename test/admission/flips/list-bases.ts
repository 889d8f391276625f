import { REGULATION } from '../../../src/admission/regulation.ts';
import type { RuleId } from '../../../src/admission/rules.ts';
import {
  type Base,
  base,
  type Cells,
  type Change,
  COMBINATION,
  cell,
  csv,
  DAY_MS,
  flipBit,
  HASH,
  HOME,
  NEW,
  NOW,
  OLD,
  products,
  TEST,
  workbook,
} from './builders.ts';

/** Of the row that names the image, with one cell changed, which a flip may change back. */
function listed(
  name: string,
  ruleId: RuleId,
  change: Cells,
  mayTurn: readonly string[],
  more: Change = {},
): Base {
  const documents = { products: products(change), ...more.documents };
  return base(`list: ${name}`, ruleId, 'products', { ...more, documents }, mayTurn);
}

export function listBases(): Base[] {
  const otherHash = Buffer.from(flipBit(Buffer.from(HASH, 'hex'), 0)).toString('hex');
  const refuseOther = { policy: { firmwareVersionMismatch: 'refuse' } as const };
  return [
    listed(
      'hash of one digit other',
      'cpl.listed',
      { manufacturer_image_hash: otherHash },
      cell('manufacturer_image_hash'),
    ),
    listed('model', 'cpl.device-model', { model: '0085' }, cell('model')),
    listed('model and a blank', 'cpl.device-model', { model: '00840' }, cell('model')),
    listed('manufacturer', 'cpl.device-model', { manufacturer: '121E' }, cell('manufacturer')),
    listed('hardware', 'cpl.device-model', { hardware_version: '03' }, cell('hardware_version')),
    listed('removed by status', 'cpl.current', { status: 'Removed' }, []),
    listed('removed today', 'cpl.current', { removed_from: '2021-09-01' }, cell('removed_from')),
    listed('listed tomorrow', 'cpl.current', { listed_from: '2021-09-02' }, cell('listed_from')),
    listed('withdrawn at the DCC', 'cpl.current', { dcc_status: 'Withdrawn' }, []),
    listed(
      'loaded tomorrow',
      'cpl.loaded',
      { dcc_loaded_from: '2021-09-02' },
      cell('dcc_loaded_from'),
    ),
    listed(
      'version',
      'cpl.firmware-version',
      { firmware_version: '02000001', generation: 'SMETS2' },
      [...cell('firmware_version'), 'image header'],
      { scene: refuseOther },
    ),
    listed('pathway', 'cpl.pathway', {}, ['products OLD firmware_version'], {
      device: { currentFileVersion: 0x01000001 },
    }),
    listed('pathway through another', 'cpl.pathway', { upgrade_from: 'OLE' }, [
      ...cell('upgrade_from'),
      'products OLD entry_id',
    ]),
    listed('pathway N/A', 'cpl.pathway', { upgrade_from: 'N/A' }, []),
    base('list: a month old', 'cpl.stale', 'products', {
      scene: { fetchedAtMs: NOW - 31 * DAY_MS },
    }),
    base('workbook: model', 'cpl.device-model', 'products', {
      documents: { products: workbook({ ...NEW, model: '0085' }, OLD) },
    }),
    base('workbook: removed today', 'cpl.current', 'products', {
      documents: { products: workbook({ ...NEW, removed_from: '2021-09-01' }, OLD) },
    }),
  ];
}

export function combinationBases(): Base[] {
  const eligible = (change: Cells) => ({ eligible: csv({ ...COMBINATION, ...change }) });
  const rule = 'epcl.combination' as const;
  const of = (name: string, change: Cells, column: string) =>
    base(`EPCL: ${name}`, rule, 'eligible', { documents: eligible(change) }, [
      `eligible C1 ${column}`,
    ]);
  const expedited: Cells = {
    expedited_purpose: 'security fix',
    expedited_added_on: '2021-07-01',
    expedited_ends_on: '2022-01-01',
    ppct_reference: 'PPCT-1',
  };
  const purposes = { ...REGULATION.expedited, purposes: ['security fix'] };
  const untested = (
    name: string,
    cause: 'products' | 'pending',
    entry: Cells,
    test: Cells,
    at: string,
  ) =>
    base(
      `expedited: ${name}`,
      rule,
      cause,
      {
        documents: {
          ...eligible({ removed_from: '2021-06-01' }),
          products: products({ ...expedited, ...entry }),
          pending: csv({ ...TEST, ...test }),
        },
        scene: { policy: { regulation: { expedited: purposes } } },
      },
      [at, 'eligible C1 removed_from'],
    );
  return [
    of('firmware', { ppmid: '121D:0084:01:00:02000001' }, 'ppmid'),
    of('hardware revision', { ppmid: '121D:0084:01:01:02000000' }, 'ppmid'),
    of('another meter', { esme: 'AB01:0002:01:00:00000002' }, 'esme'),
    of('added tomorrow', { added_on: '2021-09-02' }, 'added_on'),
    of('taken off today', { removed_from: '2021-09-01' }, 'removed_from'),
    base(
      'installation: another provider',
      rule,
      'installations',
      { documents: { installations: csv({ ...HOME, provider: 'CSP-O' }) } },
      ['installations HOME-1 provider', 'eligible C1 provider'],
    ),
    base(
      'installation: another hub',
      rule,
      'installations',
      {
        documents: {
          installations: csv({ ...HOME, communications_hub: '106C:0001:01:00:00000006' }),
        },
      },
      ['installations HOME-1 communications_hub', 'eligible C1 communications_hub'],
    ),
    untested(
      'the test closes today',
      'pending',
      {},
      { outcome: 'failed', closed_on: '2021-09-01' },
      'pending PPCT-1 closed_on',
    ),
    untested(
      'of another',
      'pending',
      {},
      { esme: 'AB01:0002:01:00:00000002' },
      'pending PPCT-1 esme',
    ),
    untested(
      'ends today',
      'products',
      { expedited_ends_on: '2021-09-01' },
      {},
      'products NEW expedited_ends_on',
    ),
  ];
}
