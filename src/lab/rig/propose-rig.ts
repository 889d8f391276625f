/** The text of a rig file for what was found: comments say what was heard, and what a person has to fill in. */
import { escapeText } from '../../bytes/escape-text.ts';
import { hex } from '../../bytes/hex.ts';
import type { HubModel } from '../../config/schema.ts';
import { describePort } from '../../transport/serial/ports.ts';
import { findingWords, type HubFinding } from '../../upgrade/hub-finding.ts';
import type { CoordinatorFinding } from '../znp/probe.ts';
import type { FoundPort } from './discover.ts';

/** A model file that a found hub may be of. */
export interface KnownModel {
  path: string;
  model: HubModel;
}

export interface ProposalOptions {
  rig: string;
  models: readonly KnownModel[];
  /** 16 bits and 64 for a network that is not there yet. */
  randomBytes(count: number): Uint8Array;
}

type FoundAs<K extends string> = FoundPort & { found: Extract<FoundPort['found'], { kind: K }> };

export function proposeRig(found: readonly FoundPort[], options: ProposalOptions): string {
  const coordinators = found.filter((one): one is FoundAs<'coordinator'> => is(one, 'coordinator'));
  const hubs = found.filter((one): one is FoundAs<'hub'> => isHub(one.found));
  const others = found.filter((one) => !is(one, 'coordinator') && !hubs.includes(one as never));
  return [
    '# Made by `uplift rig discover` from what is plugged in. CHANGE what is marked so, then check it,',
    '# touching no device:   uplift rig check --rig THIS-FILE',
    `rig: ${options.rig}`,
    'description: What was plugged in when this file was made',
    `state: ./.uplift/${options.rig}`,
    ...(coordinators.length === 0 ? [] : ['', 'coordinators:']),
    ...coordinators.flatMap((one, n) => coordinatorLines(one, n + 1, options)),
    '',
    'devices:',
    ...hubs.flatMap((one, n) => hubLines(one, n + 1, options)),
    ...(coordinators.length === 0 ? [] : PPMID_LINES),
    ...(hubs.length + coordinators.length === 0 ? NOTHING_LINES : []),
    ...(others.length === 0 ? [] : ['', '# Not known what is on these:']),
    ...others.flatMap(otherLines),
    '',
  ].join('\n');
}

function is(one: FoundPort, kind: FoundPort['found']['kind']): boolean {
  return one.found.kind === kind;
}

function isHub(found: FoundPort['found']): boolean {
  return found.kind === 'hub' && ['smp', 'bootloader'].includes(found.finding.kind);
}

function coordinatorLines(
  { found, info, baudRate }: FoundAs<'coordinator'>,
  number: number,
  options: ProposalOptions,
): string[] {
  const { network } = found.finding;
  const { panId, extendedPanId, channel } = network ?? newNetwork(options);
  return [
    `  # ${comment(describePort(info))}: ${versionWords(found.finding)}`,
    `  - id: zigbee-${number}`,
    '    adapter: zstack',
    `    port: ${quoted(info.byId ?? info.path)}`,
    `    baudRate: ${baudRate}`,
    network
      ? '    # The network it has. CHANGE networkKey to its key, or its devices have to join anew.'
      : '    # It has no network yet. CHANGE these where they shall be others.',
    '    network:',
    `      panId: ${hex(panId, 4)}`,
    `      extendedPanId: "${extendedPanId}"`,
    `      channel: ${channel}`,
    '      networkKey: generated',
    '    joining: open-when-missing',
  ];
}

function versionWords({ product, revision }: CoordinatorFinding): string {
  const stack = product === 1 ? 'Z-Stack 3.x.0' : product === 2 ? 'Z-Stack 3.0.x' : 'Z-Stack';
  return `a coordinator with ${stack}${revision === undefined ? '' : `, ${revision}`}`;
}

function newNetwork({ randomBytes }: ProposalOptions) {
  const [high, low] = randomBytes(2);
  const id = Array.from(randomBytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('');
  // Neither end of the range is a PAN id.
  return { panId: 1 + (((high! << 8) | low!) % 0xfffd), extendedPanId: id, channel: 15 };
}

function hubLines(
  { found, port, info, baudRate }: FoundAs<'hub'>,
  number: number,
  { models }: ProposalOptions,
): string[] {
  const fitting = models.filter(({ model }) => speaks(model, found.finding));
  const [sole] = fitting;
  const path = sole?.path ?? 'CHANGE-ME.yaml';
  const baud = sole?.model.serial.baudRate === baudRate ? [] : [`    baudRate: ${baudRate}`];
  return [
    `  # ${comment(describePort(info))}: ${comment(findingWords(found.finding))}`,
    `  - id: hub-${number}`,
    ...(fitting.length === 1 ? [] : [modelComment(fitting)]),
    `    model: ${quoted(path)}`,
    `    port: ${quoted(port)}`,
    ...baud,
  ];
}

function modelComment(fitting: readonly KnownModel[]): string {
  return fitting.length === 0
    ? '    # CHANGE to the model file of the product; none that is here speaks its protocol.'
    : `    # CHANGE to its model; these speak its protocol: ${fitting.map(({ path }) => path).join(', ')}`;
}

function speaks({ serial: { protocol } }: HubModel, finding: HubFinding): boolean {
  if (finding.kind === 'smp') return protocol === 'smp';
  if (finding.kind !== 'bootloader' || protocol === 'smp') return false;
  const { family } = finding.facts;
  return family === 'unknown' || protocol === `${family}-bootloader`;
}

const PPMID_LINES = [
  '  # CHANGE: a PPMID for each that is to be upgraded.',
  '  # - id: ppmid',
  '  #   model: CHANGE-ME.yaml',
  '  #   coordinator: zigbee-1',
  '  #   eui64: "00:0d:6f:00:00:00:00:00"',
];

const NOTHING_LINES = [
  '  # CHANGE: nothing that was plugged in answered as a hub or a coordinator.',
];

function otherLines({ info, found }: FoundPort): string[] {
  return [`#   ${comment(describePort(info))}: ${comment(otherWords(found))}`];
}

function otherWords(found: FoundPort['found']): string {
  switch (found.kind) {
    case 'not-asked':
      return 'not opened';
    case 'not-opened':
      return found.error.message;
    case 'hub':
      return findingWords(found.finding);
    case 'coordinator':
      return versionWords(found.finding);
  }
}

/** What a device or an adapter says of itself may hold anything, a line's end among it. */
function comment(text: string): string {
  return escapeText(text);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
