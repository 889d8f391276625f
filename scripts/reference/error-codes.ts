/** docs/reference/error-codes.md: every table of codes in src, found by its name, and what is said in place. */
import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { GATEWAY_TABLES } from '../../src/api/gateway-problems.ts';
import { ALERT_CODES } from '../../src/duis/dcc-alert.ts';
import { ACCEPTED_CODES, REFUSED_CODES } from '../../src/duis/refusals.ts';
import { EXIT } from '../../src/errors.ts';
import { FLEET_CODES } from '../../src/fleet/codes.ts';
import { OPERATOR_PROBLEMS } from '../../src/fleet/coordinator/fleet-problems.ts';
import { EXIT_OF_CLASS, type LabClass } from '../../src/lab/failure-classes.ts';
import { listedPeerErrors } from '../../src/protocol/smp/codes.ts';
import { code, page, sentence, table } from './markdown.ts';

const SRC = resolve(import.meta.dirname, '../../src');
/** How tables of codes are called. */
const TABLE =
  /^export const ([A-Z0-9_]*(?:CODES|REFUSALS|FAILURES|PROBLEMS|REMARKS|EXPIRIES))\b.*=/gm;

/** What each table is about. A table that is not here has no place in the reference, and a test says so. */
export const TITLES: Readonly<Record<string, string>> = {
  FAILURES: 'An upgrade that failed',
  HUB_PROBLEMS: "What is on a hub's line",
  READING_PROBLEMS: 'What a device does not say',
  XMODEM_FAILURES: 'XMODEM and bootloaders',
  CLIENT_FAILURES: 'SMP',
  IMAGE_REFUSALS: 'An image that is not taken',
  IMAGE_REMARKS: 'What is odd about an image',
  VERDICT_CODES: 'What a rule found',
  TRUST_CODES: 'Certificates, keys and revocation lists',
  SIGNATURE_KEY_CODES: 'Keys of signatures',
  CERTIFICATE_CODES: 'Certificates of upgrades',
  DETACHED_SIGNATURE_CODES: 'Detached signatures',
  COSE_CODES: 'Signed documents (COSE)',
  SIGNER_CODES: 'Who signed',
  WAIVER_CODES: 'Downgrade waivers',
  FLOOR_CODES: 'Version floors',
  XML_SIGNATURE_CODES: 'XML signatures',
  XML_CODES: 'XML',
  CBOR_REFUSALS: 'CBOR',
  CONFIG_CODES: 'Configuration files',
  HOURS_PROBLEMS: 'Maintenance windows',
  EXPIRIES: 'Waits that ended without a start',
  CONTROL_CODES: 'What a gateway is asked',
  OUTBOX_CODES: 'Messages to Service Users',
  CAMPAIGN_CONTROL_CODES: 'Campaigns of a gateway',
  STORE_CODES: 'The store',
  AUDIT_CODES: 'The log of decisions',
  API_CODES: 'The HTTP API',
  REQUEST_CODES: 'Service Requests: the document',
  SERVICE_CODES: 'Service Requests: what is asked',
  INVENTORY_CODES: 'Service Requests: inventories',
  PARK_CODES: 'Messages that are put aside',
  DUIS_DOOR_CODES: 'The door for Service Users',
  CAMPAIGN_CODES: 'Campaigns',
  BUNDLE_CODES: 'Bundles on a stick',
  FLEET_CODES: 'The coordinator of a fleet',
  LINK_CODES: 'A gateway and its coordinator',
  HAWKBIT_CODES: 'hawkBit',
  FRONT_CODES: 'A front',
  POWER_FAILURES: 'Supplies and buttons of a rig',
  RECORDING_REFUSALS: 'Recordings',
  REPLAY_REFUSALS: 'Replays',
  LAB_CODES: 'A run of a lab that failed',
};

/** Parts of another table, statuses of several, or tables from codes of others to those of DUIS. */
export const NOT_TABLES: readonly string[] = [
  'EVENTS_CODES',
  'API_PROBLEMS',
  'GATEWAY_PROBLEMS',
  'OPERATOR_PROBLEMS',
  'GATEWAY_DOOR_PROBLEMS',
  'GATEWAY_CODES',
  'SCENARIO_CODES',
  'ACCEPTED_CODES',
  'REFUSED_CODES',
  'ALERT_CODES',
  'RESPONSE_CODES',
  'ADMISSION_REFUSALS',
  'SERVICE_REFUSALS',
  'CONTROL_REFUSALS',
  'DEFAULT_REFUSALS',
];

interface FoundTable {
  name: string;
  file: string;
  codes: Readonly<Record<string, string | CodeRow>>;
}

interface CodeRow {
  /** Of a failed run of a lab: it says how the lab ends. */
  class?: LabClass;
  sentence?: string;
  text?: string;
  next?: string;
  exit?: number;
}

interface Said {
  code: string;
  message: string;
  exit: string;
  file: string;
}

export async function errorCodesPage(): Promise<string> {
  const tables = await foundTables();
  return page(
    'Error codes',
    'A code is never reused, and tests compare codes, never text. `--json` and the API carry it as `code`. Exit ' +
      'codes are those of [command-line.md](command-line.md#exit-codes); where none stands, it is that of what ran.',
    tables.map(({ name }) => `- [${TITLES[name]}](#${anchorOf(TITLES[name]!)})`).join('\n'),
    ...tables.flatMap((found) => [
      `## ${TITLES[found.name]}`,
      `\`${found.name}\` in \`src/${found.file}\`.`,
      table(['Code', 'What it says', 'What to do', 'Exit', 'HTTP'], rowsOf(found)),
      ...(found.name === 'CLIENT_FAILURES' ? [PEERS, peerTable()] : []),
    ]),
    '## Answers to Service Requests',
    'Codes of DUIS that go with a refusal, an acceptance or an alert. The schemas say which there are, and hardly ' +
      'what they mean: the source says what was read.',
    table(
      ['Of', 'Code', 'Source'],
      [REFUSED_CODES, ACCEPTED_CODES, ALERT_CODES].flatMap((codes) =>
        Object.entries(codes).map(([of, row]) => [of, code(row.code), row.source]),
      ),
    ),
    '## Said where they happen',
    'Codes of no table. What stands in braces is filled in.',
    table(
      ['Code', 'What it says', 'Exit', 'Said in'],
      saidInPlace().map((one) => [code(one.code), one.message, one.exit, code(`src/${one.file}`)]),
    ),
  );
}

/** Names of all tables there are, with their files. */
export function tableNames(): { name: string; file: string }[] {
  return sources().flatMap(({ file, text }) =>
    [...text.matchAll(TABLE)].map(([, name]) => ({ name: name!, file })),
  );
}

async function foundTables(): Promise<FoundTable[]> {
  const found: FoundTable[] = [];
  for (const { name, file } of tableNames()) {
    if (!(name in TITLES)) continue;
    const module = (await import(resolve(SRC, file))) as Record<string, FoundTable['codes']>;
    found.push({ name, file, codes: module[name]! });
  }
  const order = Object.keys(TITLES);
  return found.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function rowsOf({ codes }: FoundTable): string[][] {
  return Object.entries(codes).map(([name, row]) => {
    const {
      sentence: says,
      text = '',
      next = '',
      class: failedAs,
      exit = failedAs && EXIT_OF_CLASS[failedAs],
    }: CodeRow = typeof row === 'string' ? { sentence: row } : row;
    return [
      code(name),
      sentence(says ?? text),
      next === '' ? '' : sentence(next),
      exit === undefined ? '' : `${exit}`,
      statusOf(name, codes),
    ];
  });
}

/** Of a code in the tables of an API. */
function statusOf(name: string, codes: FoundTable['codes']): string {
  if (codes === (FLEET_CODES as FoundTable['codes'])) return `${OPERATOR_PROBLEMS.statusOf(name)}`;
  const of = GATEWAY_TABLES.find(({ sentences }) => sentences === codes);
  return of ? `${of.statuses[name] ?? ''}` : '';
}

const PEERS = 'What a device itself may answer:';

function peerTable(): string {
  const rows = listedPeerErrors().map((one) => [code(one.code), sentence(one.sentence)]);
  return table(['Code', 'What it says'], rows);
}

/** Errors that are thrown with a code of no table. */
export function saidInPlace(): Said[] {
  const found = sources().flatMap(({ file, text }) =>
    [...text.matchAll(/new UpliftError\(\s*'([a-zA-Z0-9_-]+)',\s*/g)].map((match): Said => {
      const rest = text.slice(match.index + match[0].length);
      const whole = rest.slice(0, endOfCall(rest));
      const exit = /exit: EXIT\.(\w+)/.exec(whole)?.[1] as keyof typeof EXIT | undefined;
      const message = firstText(whole);
      return { code: match[1]!, message, exit: `${EXIT[exit ?? 'usage']}`, file };
    }),
  );
  const byCode = new Map(found.map((one) => [`${one.code} ${one.message}`, one]));
  return [...byCode.values()].sort((a, b) => (a.code < b.code ? -1 : a.code > b.code ? 1 : 0));
}

/** Where the bracket of the call closes; texts may have brackets of their own, and balance them. */
function endOfCall(text: string): number {
  let depth = 1;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth += 1;
    if (text[at] === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return text.length;
}

function firstText(call: string): string {
  const found = /^(?:'((?:[^'\\]|\\.)*)'|"([^"]*)"|`([^`]*)`)/.exec(call);
  if (!found) return '(as it came about)';
  const text = found[1] ?? found[2] ?? found[3] ?? '';
  return sentence(text.replace(/\$\{([\w.]*)[^}]*\}/g, '{$1}').replaceAll("\\'", "'"));
}

function sources(): { file: string; text: string }[] {
  return globSync('**/*.ts', { cwd: SRC })
    .sort()
    .map((file) => ({ file, text: readFileSync(resolve(SRC, file), 'utf8') }));
}

function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}
