/**
 * What an attack is presented to: the gateway's own `flash` on a rig with a PPMID, a hub that runs MCUboot
 * and one behind a Gecko bootloader. Behind every port stands a listener that counts who connects. Each
 * attack is asked all that every row asks: the code, one record in the audit log, nobody connected, the
 * files as they were; and afterwards the good image is still admitted.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import * as assert from 'uvu/assert';
import { BENCH } from '../../src/admission/context.ts';
import { type Decision, decideAdmission } from '../../src/admission/decide.ts';
import {
  type AdmissionFacts,
  type AdmissionPolicy,
  type DeviceFacts,
  gatherImageFacts,
} from '../../src/admission/facts.ts';
import type { Rig, RigDevice } from '../../src/config/schema.ts';
import { UpliftError } from '../../src/errors.ts';
import { AuditLog } from '../../src/gateway/audit-log.ts';
import { AuditRecorder } from '../../src/gateway/audit-recorder.ts';
import { factsOfDevice } from '../../src/gateway/device-facts.ts';
import { flash } from '../../src/gateway/flash.ts';
import { ImageFile, type LoadedImage } from '../../src/gateway/image-library.ts';
import { loadCentralProductsList } from '../../src/gateway/list-library.ts';
import { StateFolder } from '../../src/gateway/state-folder.ts';
import type { CentralProductsList } from '../../src/products/central-products-list.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { HUB_SESSION_LIMITS } from '../../src/upgrade/hub-session-messages.ts';
import { SESSION_LIMITS } from '../../src/upgrade/session.ts';
import { gbl, mcuboot, trusting } from '../admission/hub-desk.ts';
import { counting, type NaiveImage, naiveImage } from '../image/naive-ota.ts';
import { TestRig } from '../support/rigs.ts';

export const BODY = counting(400, 9);
export const OTA: NaiveImage = {
  manufacturer: 0x121d,
  imageType: 0x0084,
  fileVersion: 0x02000000,
  hardware: [0x0100, 0x01ff],
  body: BODY,
};
export const GOOD = { ppmid: naiveImage(OTA), hub: mcuboot(), radio: gbl() } as const;
export type DeviceId = keyof typeof GOOD;
export const { trust: TRUST } = trusting('mcuboot-firmware', 'gbl-firmware');

export const ota = (change: NaiveImage) => naiveImage({ ...OTA, ...change });
export const hashOf = (bytes: readonly number[] | Uint8Array) => sha256Hex(Uint8Array.from(bytes));

export interface ListLine {
  id?: string;
  type?: string;
  manufacturer?: string;
  model?: string;
  hardware?: string;
  version?: string;
  hash?: string;
  status?: string;
  from?: string;
  until?: string;
  upgradeFrom?: string;
  fileVersion?: string;
}

export const GOOD_LINES = {
  ppmid: { id: 'P2', hash: hashOf(BODY) },
  hub: { id: 'H2', type: 'CHF', model: '00C1', hash: hashOf(GOOD.hub) },
  radio: { id: 'R2', type: 'CHF', model: '00C2', version: '00020000', hash: hashOf(GOOD.radio) },
} as const satisfies Record<DeviceId, ListLine>;

const HEADING =
  'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
  'manufacturer_image_hash,status,listed_from,removed_from,upgrade_from,ota_file_version';

export function listText(...lines: ListLine[]): string {
  const rows = lines.map((line, at) =>
    [
      line.id ?? `E${at}`,
      line.type ?? 'PPMID',
      line.manufacturer ?? '121D',
      line.model ?? '0084',
      line.hardware ?? '01,00',
      line.version ?? '02000000',
      line.hash,
      line.status ?? 'Current',
      line.from ?? '2021-01-01',
      line.until ?? '',
      line.upgradeFrom ?? '',
      line.fileVersion ?? '',
    ].join(','),
  );
  return `${[HEADING, ...rows].join('\n')}\n`;
}

export const GOOD_LIST = listText(...Object.values(GOOD_LINES));

/** What a row presents: a file for one device, with a list. */
export interface Presented {
  device?: DeviceId;
  file?: Uint8Array;
  /** Instead of `file`: makes what is at the path that is presented. */
  place?: (path: string) => void;
  list?: string | Uint8Array | 'none';
  policy?: AdmissionPolicy;
}

export interface Attack {
  /** Of the row in the table of attacks. */
  id: string;
  attack: string;
  present: () => Presented;
  /** The rule that refuses, or the code of what is not read at all. */
  expect: string;
  /** What the rule found exactly: of the reader of images, or of the finding. */
  code?: string;
}

export class GatewayDesk {
  readonly folder: string;
  readonly rig: Rig;
  /** Those who connected to the port of a device. */
  connected = 0;
  private readonly servers: readonly Server[];
  private readonly made: TestRig;
  private names = 0;

  private constructor(made: TestRig, servers: readonly Server[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'uplift-attacks-'));
    this.made = made;
    this.servers = servers;
    this.rig = { ...made.rig, auditLog: join(this.folder, 'audit.jsonl') };
    for (const server of servers) {
      server.on('connection', (socket) => {
        this.connected++;
        socket.destroy();
      });
    }
  }

  static async open(): Promise<GatewayDesk> {
    const servers = await Promise.all([listener(), listener(), listener()]);
    const [port, hubPort, radioPort] = servers.map(portOf) as [string, string, string];
    const hubs = [
      { id: 'hub', port: hubPort, virtual: undefined },
      { id: 'radio', port: radioPort, virtual: undefined, protocol: 'gecko-bootloader' as const },
    ];
    return new GatewayDesk(await TestRig.make({ port, hubs }), servers);
  }

  async close(): Promise<void> {
    await this.made.remove();
    rmSync(this.folder, { recursive: true });
    await Promise.all(this.servers.map((server) => new Promise((done) => server.close(done))));
  }

  device(id: DeviceId): RigDevice {
    return this.rig.devices.find((device) => device.id === id)!;
  }

  path(name = 'file'): string {
    return join(this.folder, `${name}-${++this.names}`);
  }

  records(): number {
    try {
      return new AuditLog(this.rig.auditLog!).records().length;
    } catch (error) {
      assert.is((error as UpliftError).code, 'audit-log-missing');
      return 0;
    }
  }

  list(text: string | Uint8Array): CentralProductsList {
    const path = this.path('list');
    writeFileSync(path, text);
    const accepted = StateFolder.shared(this.rig.stateFolder).acceptedList();
    return loadCentralProductsList(path, { accepted });
  }

  image(path: string, device: RigDevice): LoadedImage {
    return new ImageFile(path, { trust: TRUST }).for(device.model.imageProfile);
  }

  /** Everything a row asks. Returns the decision, for what a row asks besides. */
  async refuses({ attack, present, expect, code }: Attack): Promise<Decision | undefined> {
    const presented = present();
    const path = this.path('image');
    const { file = GOOD[presented.device ?? 'ppmid'] } = presented;
    if (presented.place) presented.place(path);
    else writeFileSync(path, file);
    const before = this.records();
    const { decision, error } = await this.flash(path, presented);
    if (error) {
      assert.instance(error, UpliftError, `${attack}: ${error.stack}`);
      assert.is((error as UpliftError).code, expect, attack);
      assert.is(this.records(), before, 'what was not read was not decided on');
    } else {
      assert.is(decision?.verdict, 'refused', attack);
      assert.is(decision!.ruleId, expect, attack);
      assert.is(decision!.token, undefined, 'a refusal gives no leave to send');
      const [record, ...others] = new AuditLog(this.rig.auditLog!).records().slice(before);
      assert.is(others.length, 0, 'one record');
      assert.is((record as { decision?: { ruleId?: string } }).decision?.ruleId, expect);
      assert.equal(new AuditLog(this.rig.auditLog!).check().findings, []);
    }
    if (code !== undefined) assert.is(this.codeOf(path, presented, decision), code, attack);
    assert.is(this.connected, 0, 'no byte on a wire: nobody so much as connected');
    if (!presented.place) assert.equal(new Uint8Array(readFileSync(path)), file, 'unchanged');
    this.admitsGood();
    return decision;
  }

  /** The good images under the good list, as if nothing had been. */
  admitsGood(): void {
    const list = this.list(GOOD_LIST);
    for (const id of ['ppmid', 'hub', 'radio'] as const) {
      const device = this.device(id);
      const image = this.image(this.goodPath(id), device).facts;
      const decision = decideAdmission({ image, device: factsOfDevice(device), list }, Date.now());
      assert.is(decision.verdict, 'admitted', `${id}: ${decision.ruleId}`);
    }
  }

  goodPath(id: DeviceId): string {
    const path = join(this.folder, `good-${id}`);
    if (!existsSync(path)) writeFileSync(path, GOOD[id]);
    return path;
  }

  async flash(
    path: string,
    { device: id = 'ppmid', list = GOOD_LIST, policy = {} }: Presented,
  ): Promise<{ decision?: Decision | undefined; error?: Error }> {
    const device = this.device(id);
    try {
      const outcomes = await flash(
        {
          rig: this.rig,
          devices: [device],
          imageFor: (one) => this.image(path, one),
          list: list === 'none' ? undefined : this.list(list),
          policy,
          contextFor: () => BENCH,
          activation: { when: 'now' },
          limits: { ppmid: SESSION_LIMITS, hub: HUB_SESSION_LIMITS },
        },
        () => {},
        new AbortController().signal,
      );
      assert.is(outcomes.length, 1);
      assert.is(outcomes[0]!.sentBytes, 0);
      return { decision: outcomes[0]!.decision };
    } catch (error) {
      return { error: error as Error };
    }
  }

  private codeOf(
    path: string,
    { device = 'ppmid' }: Presented,
    decision: Decision | undefined,
  ): string | undefined {
    const { facts } = this.image(path, this.device(device));
    if (!facts.ok) return facts.code;
    return decision?.findings.find(({ ruleId }) => ruleId === decision.ruleId)?.code;
  }
}

async function listener(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

function portOf(server: Server): string {
  return `tcp://127.0.0.1:${(server.address() as { port: number }).port}`;
}

/** A decision on facts that no rig file holds, recorded as `verify` records it. */
export class DecisionDesk {
  private readonly folder = mkdtempSync(join(tmpdir(), 'uplift-decisions-'));
  private readonly log = join(this.folder, 'audit.jsonl');

  close(): void {
    rmSync(this.folder, { recursive: true });
  }

  decide(facts: AdmissionFacts, nowMs: number): Decision {
    const shown = () => inspect(facts.image, { depth: 8, maxArrayLength: null });
    const image = shown();
    const before = this.records();
    const recorder = new AuditRecorder(this.log);
    const decision = decideAdmission(facts, nowMs);
    recorder.add({ by: 'verify', image: 'image' }, facts, decision);
    recorder.flush(nowMs);
    assert.is(this.records(), before + 1, 'exactly one record a decision');
    assert.is(shown(), image, 'a decision changes no fact');
    return decision;
  }

  refuses(expect: string, facts: AdmissionFacts, nowMs: number): Decision {
    const decision = this.decide(facts, nowMs);
    assert.is(decision.verdict, 'refused', `expected ${expect}`);
    assert.is(decision.ruleId, expect);
    assert.is(decision.token, undefined);
    return decision;
  }

  admits(facts: AdmissionFacts, nowMs: number): Decision {
    const decision = this.decide(facts, nowMs);
    assert.is(decision.verdict, 'admitted', decision.ruleId);
    return decision;
  }

  private records(): number {
    try {
      return new AuditLog(this.log).records().length;
    } catch {
      return 0;
    }
  }
}

export const EUI64 = '00112233445566aa';
export const HARDWARE = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};

/** A PPMID that has said all of itself. */
export const PPMID: DeviceFacts = {
  eui64: EUI64,
  kind: 'ppmid',
  manufacturerCode: 0x121d,
  imageType: 0x0084,
  hardwareVersion: 0x0100,
  currentFileVersion: 0x01000000,
  deviceModel: HARDWARE,
  imageProfile: 'gb-ppmid',
  slotBytes: 524_288,
};

export function otaFacts(file: Uint8Array = GOOD.ppmid) {
  return gatherImageFacts(file, { profile: 'gb-ppmid' }).facts;
}
