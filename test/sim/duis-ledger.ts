/**
 * Reads the journal of a month of Service Requests afterwards, and what arrived, by a table of its own: was
 * every request that was taken told of as often as it is to be, was nothing lost, out of order or told
 * twice, and was nothing done that nobody asked for. Knows nothing of how the gateway comes to it.
 */
import type { GatewayRecord } from '../../src/gateway/control.ts';
import type { FieldDevice } from '../../src/gateway/field.ts';
import type { Sent } from '../dcc/dcc-desk.ts';
import type { Activation } from './duis-devices.ts';

export interface Ledger {
  records: readonly GatewayRecord[];
  documents: ReadonlyMap<string, Uint8Array>;
  devices: readonly FieldDevice[];
  heard: readonly Sent[];
  activations: readonly Activation[];
}

interface Request {
  id: string;
  originator: string;
  target: string;
  sequence: number;
  serviceReference: string;
  body: string;
  sha256: string;
  execution: number | 'cancel' | undefined;
  devices: string[];
  executedBy: number;
  jobs: string[];
}

interface Message {
  sequence: number;
  user: string;
  text: string;
  telling: string;
  about: { requestId: string; mark: number; devices: string[] } | undefined;
}

/** What a message says, by what stands in it and in no other. */
const TELLINGS: readonly (readonly [string, RegExp])[] = [
  ['reading', /<ra:ReadFirmwareVersionRsp/],
  ['dated taken', /<ra:ActivateFirmwareRsp MessageSuccess="true"(><\/ra:ActivateFirmwareRsp|\/)>/],
  ['result good', /<ra:ActivateFirmwareRsp MessageSuccess="true"/],
  ['result bad', /<ra:ActivateFirmwareRsp MessageSuccess="false"/],
  ['dated good', /GBCSHexAlertCode>8F66/],
  ['dated bad', /GBCSHexAlertCode>8F67/],
  ['verified', /GBCSHexAlertCode>8F72/],
  ['not verified', /GBCSHexAlertCode>8F1C/],
  ['transfer good', /TransferResponseCode>FileTransferSuccess/],
  ['transfer bad', /<sr:TransferResponseCode>/],
  ['delivery good', /CommsHubTransferStatus>Success/],
  ['delivery bad', /<sr:CommsHubTransferStatus>/],
  ['activated', /ActivateImageResultCode>ActivationSuccess/],
  ['not activated', /<sr:ActivateImageResultCode>/],
  ['hub begun', /FirmwareVersionUpdateStatus>UpdateRequested/],
  ['hub activated', /FirmwareVersionUpdateStatus>ActivationSuccessful/],
  ['not reached', /<sr:FirmwareDistributionFailure>/],
  ['others', /<sr:FirmwareUpgradeRequested>/],
];

/** Of a device that runs the new version at the end: exactly these, and never a second time. */
const OF_DONE: Readonly<Record<string, readonly string[]>> = {
  ppmid: ['transfer good', 'activated'],
  esme: ['delivery good', 'verified'],
  gsme: ['delivery good', 'verified'],
  communications_hub: ['hub begun', 'hub activated'],
};
/** Of one that does not: one of these at least. */
const OF_UNDONE: Readonly<Record<string, readonly string[]>> = {
  ppmid: ['transfer bad', 'not reached', 'not activated'],
  // Of a meter that has the image and does not run it nobody is told: the table has no message.
  esme: ['delivery bad', 'not reached', 'delivery good'],
  gsme: ['delivery bad', 'not reached', 'delivery good'],
  communications_hub: ['not reached'],
};

/** Everything that is wrong, a sentence each. */
export function checkLedger(ledger: Ledger): string[] {
  const check = new LedgerCheck(ledger);
  check.requests();
  check.updates();
  check.messages();
  check.commands();
  check.activations();
  return check.wrong;
}

class LedgerCheck {
  readonly wrong: string[] = [];
  private readonly ledger: Ledger;
  private readonly taken: ReadonlyMap<string, Request>;
  private readonly queued: readonly Message[];
  private readonly byRequest = new Map<string, Message[]>();

  constructor(ledger: Ledger) {
    this.ledger = ledger;
    this.taken = requestsOf(ledger.records, this.wrong);
    this.queued = messagesOf(ledger);
    for (const message of this.queued) {
      const id = message.about?.requestId ?? '';
      this.byRequest.set(id, [...(this.byRequest.get(id) ?? []), message]);
      if (!this.taken.has(id)) this.say(`message ${message.sequence} is about no request`);
    }
  }

  /** 11.2 and 11.3: one answer, and where it is dated one more when its time came. */
  requests(): void {
    for (const request of this.taken.values()) {
      const { id, body, execution, executedBy } = request;
      if ('UpdateFirmware UpdatePPMIDFirmware'.includes(body)) continue;
      const tellings = this.tellingsOf(id);
      const isDated = typeof execution === 'number';
      const results = tellings.filter((telling) => /^(result|dated) (good|bad)$/.test(telling));
      const other = tellings.length - results.length;
      if (body === 'ReadFirmwareVersion') {
        this.count(`${id}: readings`, other, isDated && executedBy === 0 ? 0 : 1);
      } else {
        this.count(`${id}: taken for later`, other, execution === undefined ? 0 : 1);
        const isToCome = execution === 'cancel' || (isDated && executedBy === 0);
        this.count(`${id}: results`, results.length, isToCome ? 0 : 1);
        const word = isDated ? 'dated' : 'result';
        if (results.some((result) => !result.startsWith(word))) this.say(`${id}: ${results}`);
      }
    }
    this.dated();
  }

  /** 11.1 and 11.4: of each device what its end asks for, nothing twice. */
  updates(): void {
    const { records, devices } = this.ledger;
    const states = new Map<string, string>();
    for (const record of records) {
      if (record.kind === 'state')
        states.set(`${record['job']}/${record['device']}`, record['state'] as string);
    }
    for (const { id, body, devices: asked, jobs } of this.taken.values()) {
      if (!'UpdateFirmware UpdatePPMIDFirmware'.includes(body)) continue;
      for (const eui of asked) {
        const device = devices.find(({ eui64 }) => eui64 === eui)!;
        const state = jobs.map((job) => states.get(`${job}/${device.id}`)).find(Boolean);
        this.device(`${id} ${device.id} ${state}`, { id, eui, kind: device.kind, state });
      }
    }
  }

  /** Delivered in order, each at least once, and always the same under its number. */
  messages(): void {
    const { heard, records } = this.ledger;
    const first = new Map<number, number>();
    const texts = new Map(this.queued.map(({ sequence, text }) => [sequence, text]));
    for (const [index, { message, text }] of heard.entries()) {
      if (!first.has(message)) first.set(message, index);
      if (texts.get(message) !== text) this.say(`message ${message} arrived as another`);
    }
    const aside = new Set<number>();
    const ended = new Set<number>();
    for (const record of records) {
      if (record.kind !== 'duis-message') continue;
      if (record['step'] === 'parked') aside.add(record['message'] as number);
      if (record['step'] === 'delivered') ended.add(record['message'] as number);
    }
    const last = new Map<string, number>();
    for (const { sequence, user } of this.queued) {
      const at = first.get(sequence);
      if (at === undefined) this.say(`message ${sequence} never arrived`);
      if (!ended.has(sequence)) this.say(`message ${sequence} is not known as delivered`);
      // What was put aside comes when a person says so.
      if (at === undefined || aside.has(sequence)) continue;
      if (at < (last.get(user) ?? -1)) this.say(`message ${sequence} arrived before an older one`);
      last.set(user, at);
    }
  }

  /** Nothing is commanded in the name of a user who did not ask for it. */
  commands(): void {
    const spent = new Set<string>();
    for (const record of this.ledger.records) {
      const by = `${record['by']}`;
      if (!by.startsWith('duis:')) continue;
      if (record.kind === 'job') this.job(record, by.slice(5));
      if (record.kind !== 'command' || record['command'] !== 'activate') continue;
      for (const device of record['devices'] as string[]) {
        const eui = this.ledger.devices.find(({ id }) => id === device)?.eui64;
        const request = [...this.taken.values()].find(
          ({ id, body, originator, target, sequence }) =>
            body === 'ActivateFirmware' &&
            originator === by.slice(5) &&
            target === eui &&
            sequence < record.sequence &&
            !spent.has(id) &&
            this.mayActivate(id, record.sequence),
        );
        if (request) spent.add(request.id);
        else this.say(`${record.sequence}: ${device} is activated and nobody asked`);
      }
    }
  }

  /** Of every activation there is a command, and of every command one activation at most. */
  activations(): void {
    const followed = new Set<string>();
    for (const { upgrade, device, commandedBy } of this.ledger.activations) {
      const command = this.ledger.records[commandedBy - 1]!;
      const key = `${upgrade} under ${commandedBy}`;
      if (followed.has(key)) this.say(`${key}: activated twice`);
      followed.add(key);
      const kinds = ['job', 'job-devices', 'command'];
      if (!kinds.includes(command.kind) || command['job'] !== upgrade.split('/')[0])
        this.say(`${key}: no command`);
      const request = command['request'] as { activation: { when: string } } | undefined;
      if (request?.activation.when === 'held') this.say(`${key}: ${device} was to hold it`);
    }
  }

  private job(record: GatewayRecord, user: string): void {
    const { requestId, devices } = record['request'] as { requestId: string; devices: string[] };
    const request = this.taken.get(requestId.replace(/^duis-(.*)\.(held|now)$/, '$1'));
    if (request?.originator !== user) {
      this.say(`${record['job']} was asked for by nobody`);
      return;
    }
    // What was made before a crash is found again, and not made twice.
    if (!request.jobs.includes(record['job'] as string))
      this.say(`${record['job']} is on record as no job of ${request.id}`);
    for (const id of devices) {
      const device = this.ledger.devices.find((one) => one.id === id);
      if (!request.devices.includes(device!.eui64!)) this.say(`${record['job']}: not for ${id}`);
    }
  }

  /** Its time had come, and nobody was told that it failed. */
  private mayActivate(id: string, sequence: number): boolean {
    const { execution, executedBy } = this.taken.get(id)!;
    const isDue =
      execution === undefined ||
      (execution !== 'cancel' && executedBy > 0 && executedBy < sequence);
    const messages = this.byRequest.get(id) ?? [];
    const isFailed = messages.some(
      (message) => message.sequence < sequence && message.telling.endsWith('bad'),
    );
    return isDue && !isFailed;
  }

  /** Of a device at most one activation waits: the last one dated, where it was not called off. */
  private dated(): void {
    const latest = new Map<string, Request>();
    for (const request of this.taken.values()) {
      const { body, execution, target } = request;
      if (body !== 'ActivateFirmware' || execution === undefined) continue;
      const before = latest.get(target);
      const isReplaced = before && typeof before.execution === 'number';
      const isLate = before && before.executedBy > request.sequence;
      if (isReplaced && isLate) this.say(`${before.id} was replaced, and done`);
      latest.set(target, request);
    }
    for (const { id, execution, executedBy } of latest.values())
      if (typeof execution === 'number' && executedBy === 0) this.say(`${id} was never done`);
  }

  private device(
    what: string,
    { id, eui, kind, state }: { id: string; eui: string; kind: string; state: string | undefined },
  ): void {
    const messages = (this.byRequest.get(id) ?? []).filter(({ about }) =>
      about!.devices.includes(eui),
    );
    const tellings = messages.map(({ telling }) => telling);
    // Of a hub the same words stand for several ends, one mark each.
    const marked = messages.map(({ telling, about }) => `${telling} as ${about!.mark}`);
    for (const one of new Set(marked))
      this.count(`${what}: ${one}`, marked.filter((other) => other === one).length, 1);
    if (state === 'done') {
      for (const telling of OF_DONE[kind]!)
        if (!tellings.includes(telling)) this.say(`${what}: ${telling} was not told: ${tellings}`);
    } else if (!OF_UNDONE[kind]!.some((telling) => tellings.includes(telling)))
      this.say(`${what}: how it ended was not told: ${tellings}`);
  }

  private tellingsOf(id: string): string[] {
    return (this.byRequest.get(id) ?? []).map(({ telling }) => telling);
  }

  private count(what: string, actual: number, expected: number): void {
    if (actual !== expected) this.say(`${what} ${actual}, and not ${expected}`);
  }

  private say(sentence: string): void {
    this.wrong.push(sentence);
  }
}

function requestsOf(records: readonly GatewayRecord[], wrong: string[]): Map<string, Request> {
  const requests = new Map<string, Request>();
  const decided = new Set<string>();
  const counters = new Map<string, bigint>();
  for (const record of records) {
    if (record.kind !== 'duis-request') continue;
    const id = record['requestId'] as string;
    const step = record['step'] as string;
    if (step === 'accepted' || step === 'refused') {
      const [originator, , counter] = id.split(':') as [string, string, string];
      if (decided.has(id)) wrong.push(`${id} is decided twice`);
      if (BigInt(counter) <= (counters.get(originator) ?? -1n)) wrong.push(`${id} is not above`);
      counters.set(originator, BigInt(counter));
      decided.add(id);
    }
    if (step === 'accepted') requests.set(id, requestOf(id, record));
    const request = requests.get(id);
    if (step === 'devices') request!.devices.push(...(record['devices'] as string[]));
    if (step === 'executed') request!.executedBy ||= record.sequence;
    if (step === 'jobs') request!.jobs.push(...(record['jobs'] as string[]));
  }
  return requests;
}

function requestOf(id: string, record: GatewayRecord): Request {
  const [originator, target] = id.split(':').map((part) => part.toLowerCase().replaceAll('-', ''));
  return {
    id,
    originator: originator!,
    target: target!,
    sequence: record.sequence,
    serviceReference: record['serviceReference'] as string,
    body: record['body'] as string,
    sha256: record['sha256'] as string,
    execution: record['execution'] as Request['execution'],
    devices: [...(record['devices'] as string[])],
    executedBy: 0,
    jobs: [],
  };
}

function messagesOf({ records, documents }: Ledger): Message[] {
  return records.flatMap((record) => {
    if (record.kind !== 'duis-message' || record['step'] !== 'queued') return [];
    const text = new TextDecoder().decode(documents.get(record['body'] as string));
    const telling = TELLINGS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'unknown';
    const about = record['about'] as Message['about'];
    return { sequence: record.sequence, user: record['user'] as string, text, telling, about };
  });
}
