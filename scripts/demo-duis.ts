/**
 * Two PPMIDs and a Communications Hub of one premises, a gateway over them, and the Service User that is
 * their supplier, with material made for this run. The supplier sends 11.4 for the PPMIDs, then 11.1 and
 * 11.3 for the hub, and 11.2 at the end; its endpoint here shows what it is told, and whether it is signed.
 */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { euiText } from '../src/duis/identifiers.ts';
import { parseCentralProductsList } from '../src/products/central-products-list.ts';
import {
  admissionSection,
  BROKER,
  type DuisMaterial,
  duisSection,
  HOME,
  HUB_CHF,
  SUPPLIER,
  writeDuisMaterial,
} from '../test/support/duis-material.ts';
import { Endpoint, type Message, verified } from '../test/support/duis-user.ts';
import { FIRMWARE, TestRig } from '../test/support/rigs.ts';
import { Commands } from './demo-commands.ts';

const LIMIT_MS = 120_000;
const SHOWN =
  /<(?:sr|ra):(DeviceID|TargetDeviceID|OtherDeviceID|BusinessOriginatorID|FirmwareVersionUpdateStatus|TransferResponseCode|ActivateImageResultCode|ASN1Status|FirmwareVersion)>([^<]*)</g;

class Demo {
  readonly rig: TestRig;
  readonly material: DuisMaterial;
  readonly endpoint: Endpoint;
  readonly commands: Commands;
  private port = '';

  constructor(rig: TestRig) {
    this.rig = rig;
    this.commands = new Commands(rig.folder);
    this.material = writeDuisMaterial(rig.folder, FIRMWARE.trust);
    this.endpoint = new Endpoint(this.material);
  }

  async bringUp(): Promise<void> {
    const { endpoint, material, rig } = this;
    endpoint.answers = (message) => this.show(message);
    await endpoint.open();
    for (const image of [FIRMWARE.new, FIRMWARE.hubNew]) {
      copyFileSync(image, join(rig.folder, basename(image)));
    }
    const configuration = {
      gateway: { id: 'demo', stateDirectory: 'state', runtimeDirectory: '.' },
      rigs: ['rig.yaml'],
      admission: admissionSection(material, FIRMWARE.list),
      schedule: { prepaymentBlackout: [] },
      api: { socket: { path: 'api.sock', role: 'admin' } },
      duis: duisSection(material, { supplier: endpoint.url }),
    };
    writeFileSync(join(rig.folder, 'gateway.yaml'), JSON.stringify(configuration, undefined, 2));
    await this.commands.start(['rig', 'up', '--fresh', '--rig', 'rig.yaml'], /is up/);
    const serve = ['serve', '--config', 'gateway.yaml'];
    [, this.port = ''] = await this.commands.start(serve, /:(\d+) \(Service Requests\)/);
  }

  /** Made, signed, looked at, sent: the answer is printed. */
  async ask(service: string, options: readonly string[], version = '5.1'): Promise<void> {
    const isUpdate = service === '11.1' || service === '11.4';
    const to = isUpdate ? ['--target', euiText(BROKER)] : [];
    const from = ['--originator', euiText(SUPPLIER), ...to, '--duis-version', version];
    await this.commands.uplift(
      'duis',
      'make',
      service,
      ...from,
      ...options,
      '--out',
      'request.xml',
    );
    const signer = ['--certificate', 'supplier.pem', '--key', 'supplier.key'];
    const signed = ['--counter', 'now', '--out', 'signed.xml'];
    await this.commands.uplift('duis', 'sign', 'request.xml', ...signer, ...signed);
    await this.commands.uplift('duis', 'check', 'signed.xml', '--config', 'gateway.yaml');
    const tls = ['--certificate', 'supplier-tls.pem', '--key', 'supplier-tls.key'];
    const believed = ['--ca', 'tls-ca.pem', '--signer', 'dcc.pem', '--anchors', 'anchors.json'];
    const url = `https://127.0.0.1:${this.port}/`;
    await this.commands.uplift('duis', 'send', 'signed.xml', '--to', url, ...tls, ...believed);
  }

  /** Until as many messages have come that fit. */
  async told(pattern: RegExp, count = 1): Promise<void> {
    const found = () => this.endpoint.messages.filter(({ text }) => pattern.test(text)).length;
    for (const endMs = Date.now() + LIMIT_MS; found() < count; ) {
      if (Date.now() > endMs) throw new Error(`no message came that has ${pattern}`);
      await new Promise((wake) => setTimeout(wake, 100));
    }
  }

  async takeDown(): Promise<void> {
    await this.commands.takeDown();
    await this.endpoint.close();
    await this.rig.remove();
  }

  /** One line, and 200: it is taken. */
  private show({ id, text }: Message): number {
    const root = verified(text, this.material);
    const [message] = root.children.find(({ name }) => name === 'Body')!.children;
    const last = message!.children.at(-1)!;
    const kind = last.name === 'DCCAlert' ? last.children[0]!.name : message!.name;
    const facts = [...text.matchAll(SHOWN)].map(([, name, value]) => `${name} ${value}`);
    console.log(`  message ${id}, signature good: ${kind}: ${facts.join(', ')}`);
    return 200;
  }
}

/** By which 11.3 names an image: the list of products has it. */
function hashOf(entryId: string): string {
  const parsed = parseCentralProductsList(readFileSync(FIRMWARE.list, 'utf8'));
  const entry = parsed.ok ? parsed.list.entries.find((one) => one.entryId === entryId) : undefined;
  if (!entry) throw new Error(`${entryId} is not on the list of the test images`);
  return entry.manufacturerImageHash;
}

const rig = await TestRig.make({ devices: 2, hubs: [{ chf: HUB_CHF }], installation: HOME });
const demo = new Demo(rig);
try {
  await demo.bringUp();
  const ppmids = rig.rig.ppmids.map(({ eui64 }) => euiText(eui64));
  const version = ['--firmware-version', '02000000'];
  const [ppmidImage, hubImage] = [basename(FIRMWARE.new), basename(FIRMWARE.hubNew)];
  console.log(
    '\nThe supplier asks for new firmware of both PPMIDs; they activate it by themselves.',
  );
  await demo.ask('11.4', ['--image', ppmidImage, ...version, '--device', ...ppmids]);
  await demo.told(/ActivationSuccess</, 2);
  console.log('\nNew firmware of the hub is held there, until the supplier says when.');
  await demo.ask('11.1', ['--image', hubImage, ...version, '--device', HUB_CHF], '4.0');
  await demo.told(/UpdateRequested</);
  const target = ['--target', HUB_CHF];
  await demo.ask('11.3', [...target, '--hash', hashOf('TEST-0102')], '4.0');
  await demo.told(/ActivationSuccessful</);
  await demo.ask('11.2', target, '4.0');
  await demo.told(/ReadFirmwareVersionRsp/);
  await demo.commands.uplift('duis', 'requests', '--socket', 'api.sock');
  await demo.commands.uplift('device', 'list', '--socket', 'api.sock');
} finally {
  await demo.takeDown();
}
