/** Situations beside the tables: leave to go back, who signed, expedited entries, hubs in the field. */
import type { AdmissionContext } from '../../src/admission/context.ts';
import type { AdmissionFacts } from '../../src/admission/facts.ts';
import type { ListEntry } from '../../src/products/central-products-list.ts';
import { counting, naiveElement } from '../image/naive-ota.ts';
import { anchor } from '../trust/test-pki.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';
import { gather as gatherHub, type Case as HubCase, MODELS } from './hub-desk.ts';
import { gather as gatherOta, BODY as OTA_BODY } from './ota-desk.ts';
import {
  type Case,
  EUI64,
  eligibleOf,
  expeditedCase,
  floors,
  gather,
  home,
  issuing,
  PPCT,
  RULE_DATE_MS,
  root,
  signedCase,
  supplier,
  waived,
} from './regulation-desk.ts';

interface Asked {
  facts: AdmissionFacts;
  nowMs: number;
}

const firmware = [anchor(root.der, 'gb-firmware')];
const chain = { anchors: firmware, certificates: [supplier, issuing] };
const odd = [...naiveElement(0, OTA_BODY), ...naiveElement(3, counting(16))];
const signature = [...OTA_BODY, 0, 0x40, ...counting(64)];
const strange = { currentFileVersion: 0x03000000, eui64: undefined };

function back(change: Case): Asked {
  return gather({
    intake: 'field',
    device: { currentFileVersion: 0x03000000 },
    ...change,
    context: { ...floors(0x02800000), ...change.context },
  });
}

const HUB = { ...MODELS.mcuboot, firmwareVersion: '01090900' };
const HUB_HOME = home({ devices: [{ kind: 'communications_hub', deviceModel: HUB }] });
const EXPEDITED: Partial<ListEntry> = {
  generation: 'smets1',
  expedited: { purpose: 'repair', addedOnMs: 0, ppctReference: 'PPCT-1' },
};
const REPAIRS = { purposes: ['repair'], testOf: 'combination', fromMs: 0, source: 'test' } as const;

/** A hub in the field, its entry changed. */
function hub(
  change: HubCase,
  context: Partial<AdmissionContext>,
  entryChange: Partial<ListEntry> = {},
): Asked {
  const { facts, nowMs } = gatherHub(change);
  const { list } = facts;
  if (!list) throw new Error('the case has a list');
  const entries = list.entries.map((entry) => ({ ...entry, ...entryChange }));
  const byHash = Map.groupBy(entries, ({ manufacturerImageHash }) => manufacturerImageHash);
  const around = { intake: 'field', installation: HUB_HOME, eligible: eligibleOf([]), ...context };
  return {
    facts: {
      ...facts,
      list: { ...list, entries, byHash },
      context: around as AdmissionContext,
    },
    nowMs,
  };
}

/** A hub whose list is older than one that was accepted. */
function olderList(): Asked {
  const { facts, nowMs } = hub({}, {});
  const edition = { asOfMs: nowMs, newestMs: nowMs, rows: 9, ended: 9 };
  const accepted = { edition, keptIn: 'the test' };
  return { facts: { ...facts, list: { ...facts.list!, accepted } }, nowMs };
}

const { context: asked } = gather().facts;
const { context: tested } = gather(expeditedCase()).facts;
const hubFloor = {
  floors: { version: 1 as const, floors: [{ ...MODELS.mcuboot, floor: 1 << 26 }] },
};

const BACK = { allowDowngrade: true };
const OLDER_HUB = { runningVersion: '3.0.0', eui64: EUI64 };
const LISTED: Partial<ListEntry> = { upgradeFrom: { kind: 'listed', entryIds: ['E0'] } };
const IN_EVERY_WAY: Partial<AdmissionContext> = {
  request: { ...asked?.request, party: 'SUPPLIER-A', deviceCount: 0, heldSinceMs: 0 },
  openRequests: new Set([EUI64]),
};
const FOC: Partial<AdmissionContext> = {
  installation: home({ cohort: 'FOC' }),
  request: { duisVersion: '3.0' },
};

function early({ facts }: Asked): Asked {
  return { facts, nowMs: RULE_DATE_MS - 1 };
}

function signedByNobody() {
  const elements = [{ tag: 0, data: Uint8Array.from(OTA_BODY) }];
  const header = { manufacturerCode: 0x121d, imageType: 0x0084, fileVersion: 2, headerString: 'z' };
  const signer = issue(testCa(2, '5445535453454341'), '00124b0001020304');
  const options = { profile: 'zigbee-ota' } as const;
  return { file: signImage({ ...header, elements }, signer), options };
}

export const FURTHER_CASES: [string, Asked][] = [
  ['older, under a waiver', back({ context: waived() })],
  ['older, waiver for another', back({ context: waived({ devices: ['00112233445566ab'] }) })],
  ['older, EUI-64 not known', back({ device: strange, context: waived() })],
  ['older, on a bench', back({ intake: 'bench', policy: { allowDowngrade: true } })],
  ['floor, hardware half known', gather({ context: floors(9), device: { deviceModel: {} } })],
  ['above a floor', gather({ context: floors(1) })],
  ['signed, revocation not checked', gather(signedCase(chain, { intake: 'field' }))],
  ['signed by nobody', gather(signedCase({ anchors: firmware, certificates: [issuing] }))],
  [
    'signed by a pinned key',
    gather(signedCase({ anchors: [anchor(supplier.der, 'gb-firmware')], certificates: [] })),
  ],
  ['expedited', gather(expeditedCase())],
  ['expedited, test of another', gather(expeditedCase({}, PPCT.replace('CSP-N', 'CSP-S')))],
  ['an odd code', gatherOta({ image: { body: odd }, options: { profile: 'zigbee-ota' } })],
  [
    'a signature that nobody checks',
    gatherOta({ image: { body: signature }, options: { profile: 'gb-signed' } }),
  ],
  ['hub, combination not eligible', hub({}, {})],
  ['hub, of a home without', hub({}, { installation: home({ devices: [] }) })],
  [
    'hub, expedited',
    hub(
      { policy: { regulation: { expedited: REPAIRS } } },
      { pending: tested?.pending },
      EXPEDITED,
    ),
  ],
  ['hub, older list', olderList()],
  ['hub, not loaded', hub({}, {}, { dccLoaded: { isLoaded: false } })],
  ['hub, pathway', hub({}, {}, { upgradeFrom: { kind: 'listed', entryIds: ['E0'] } })],
  ['hub, no pathway', hub({}, {}, { upgradeFrom: { kind: 'none' } })],
  [
    'hub, pathway by the installation',
    hub({ device: { runningVersion: undefined } }, {}, { upgradeFrom: { kind: 'none' } }),
  ],
  ['hub, below a floor', hub({}, { ...hubFloor, ...waived() })],
  [
    'hub, below a floor by its name',
    hub({ device: { eui64: '00' } }, { ...hubFloor, ...waived() }),
  ],
  ['hub, asked for', hub({ device: { kind: 'communications_hub' } }, asked ?? {})],
  ['hub, asked for, kind not known', hub({}, asked ?? {})],
  ['hub, asked for in every way', hub({ device: { kind: 'communications_hub' } }, IN_EVERY_WAY)],
  ['hub image for a PPMID of an FOC home', early(hub({ device: { kind: 'ppmid' } }, FOC))],
  ['the same, DUIS not said', early(hub({ device: { kind: 'ppmid' } }, { ...FOC, request: {} }))],
  ['hub, older, on a bench', hub({ device: OLDER_HUB, policy: BACK }, { intake: 'bench' }, LISTED)],
  ['hub, older, under a waiver', hub({ device: OLDER_HUB }, waived(), LISTED)],
  [
    'hub, older, without its EUI-64',
    hub({ device: { runningVersion: '3.0.0' } }, waived(), LISTED),
  ],
  ['a Smart Energy signature by nobody known', gatherOta(signedByNobody())],
];
