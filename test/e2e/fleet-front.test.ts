/**
 * From the DCC User Interface to devices behind another gateway: a Service User's signed 11.4 over mutual TLS to a
 * front, `uplift serve` without rigs, becomes one campaign of the coordinator `uplift fleet serve`; the gateway
 * that has the devices upgrades them by the real driver, and the Service User is told of each, signed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../src/api/client.ts';
import type { z } from '../../src/config/fields.ts';
import type { campaignPage, gatewayDetail } from '../../src/fleet/coordinator/operator-schemas.ts';
import {
  admissionSection,
  type DuisMaterial,
  duisSection,
  HOME,
  writeDuisMaterial,
} from '../support/duis-material.ts';
import { Endpoint, post, requestOf, signedRequest, verified } from '../support/duis-user.ts';
import { GatewaySite, until } from '../support/fleet-gateway.ts';
import { FLEET } from '../support/fleet-material.ts';
import { type CoordinatorProcess, FleetSite } from '../support/fleet-site.ts';
import {
  type CliRun,
  FIRMWARE,
  NEW_VERSION,
  QUICK_CLIENT,
  startCli,
  TestRig,
} from '../support/rigs.ts';

type Campaigns = z.output<typeof campaignPage>;

const test = suite('Service Requests for a fleet');
/** Of the gateway, and of the premises whose devices hang on it. */
const PREMISES = 'home-1';

/** Stands for the whole fleet, in a folder of its own. */
class Front {
  readonly api: ApiClient;
  private readonly config: string;
  private run: CliRun | undefined;
  private port = 0;
  private readonly material: DuisMaterial;

  constructor(fleet: FleetSite, socket: string, endpoint: Endpoint, material: DuisMaterial) {
    this.material = material;
    const at = (name: string) => join(fleet.folder, name);
    const { author, approver } = fleet.material;
    this.config = at('front.yaml');
    this.api = new ApiClient(at('front.sock'));
    const model = at('ppmid.yaml');
    writeFileSync(
      this.config,
      JSON.stringify({
        gateway: { id: 'front', stateDirectory: at('front') },
        front: {
          fleet: FLEET,
          coordinator: {
            socket,
            tokenFile: fleet.tokenFile('ann'),
            starterTokenFile: fleet.tokenFile('olive'),
          },
          models: [model],
          signing: { author, approvers: [approver] },
          campaign: { rings: [{ name: 'all', all: true, untilPercent: 90 }] },
          installationIsGateway: true,
          inventoryMs: 1_000,
        },
        admission: admissionSection(material, FIRMWARE.list),
        schedule: { prepaymentBlackout: [] },
        api: { socket: { path: at('front.sock'), role: 'admin' } },
        duis: duisSection(material, { supplier: endpoint.url }),
      }),
    );
  }

  async start(): Promise<void> {
    this.run = startCli(['serve', '--config', this.config]);
    const { msg } = await this.run.until(({ code }) => code === 'ready');
    this.port = Number(/:(\d+) \(Service Requests\)/.exec(msg as string)?.[1]);
  }

  /** The process ends without a word. */
  async kill9(): Promise<void> {
    await this.run?.powerCut();
  }

  /** Signed by the supplier, and sent by it: the code of the answer. */
  async ask(devices: readonly string[]): Promise<string> {
    const image = new Uint8Array(readFileSync(FIRMWARE.new));
    const body = {
      ...{ kind: 'UpdatePPMIDFirmware' as const, firmwareVersion: '02000000', image },
      deviceIds: devices,
    };
    const document = signedRequest(this.material.supplier, requestOf(body, { version: '5.1' }));
    const client = { tlsCa: this.material.tlsCa, client: this.material.supplierTls };
    const { status, text } = await post(this.port, document, client);
    assert.is(status, 200, text);
    verified(text, this.material);
    return /<sr:ResponseCode>([^<]*)</.exec(text)?.[1] ?? text;
  }
}

let fleet: FleetSite;
let coordinator: CoordinatorProcess;
let gateway: GatewaySite;
let endpoint: Endpoint;
let front: Front;

test.before(async () => {
  fleet = new FleetSite();
  coordinator = await fleet.coordinator();
  const rig = await TestRig.make({ devices: 3, otaClient: QUICK_CLIENT, installation: PREMISES });
  gateway = new GatewaySite(PREMISES, rig, coordinator.url, fleet);
  const material = writeDuisMaterial(join(fleet.folder, 'duis'), FIRMWARE.trust);
  const installations = readFileSync(material.installations, 'utf8').replaceAll(HOME, PREMISES);
  writeFileSync(material.installations, installations);
  endpoint = new Endpoint(material);
  writeFileSync(join(fleet.folder, 'ppmid.yaml'), readFileSync(join(rig.folder, 'model.yaml')));
  await Promise.all([coordinator.start(), rig.up(), endpoint.open()]);
  front = new Front(fleet, coordinator.socket, endpoint, material);
  const added = await coordinator.told<{ token: string }>('olive', 'gateway', 'add', PREMISES);
  writeFileSync(gateway.token, `${added.token}\n`, { mode: 0o600 });
  await Promise.all([gateway.start(), front.start()]);
});

test.after(async () => {
  await front?.kill9();
  await Promise.all([gateway?.stop(), coordinator?.stop(), endpoint?.close()]);
  await gateway?.rig.remove();
  fleet?.remove();
});

const told = (pattern: RegExp) => endpoint.messages.filter(({ text }) => pattern.test(text));

test('an 11.4 is one campaign, and each device is told of, over a front that is killed', async () => {
  const { devices } = gateway;
  await until(
    () => front.api.get<{ devices: { runs?: string }[] }>('/devices'),
    (seen) => seen.devices.length === devices.length,
  );
  await until(
    () => coordinator.client.get<z.output<typeof gatewayDetail>>(`/gateways/${PREMISES}`),
    ({ inventory }) => inventory.filter(({ firmwareVersion }) => firmwareVersion).length === 3,
  );
  assert.is(await front.ask(devices), 'I0');
  const asked = () => coordinator.client.get<Campaigns>('/campaigns');
  const made = await until(asked, ({ campaigns }) => campaigns[0]?.state === 'running');
  assert.is(made.campaigns.length, 1);
  assert.is(made.campaigns[0]!.submittedBy, 'api:ann');
  assert.is(made.campaigns[0]!.startedBy, 'api:olive');
  await front.kill9();
  await front.start();
  await until(asked, ({ campaigns }) => campaigns[0]?.state === 'finished');
  for (const device of devices) assert.is(gateway.version(device), NEW_VERSION);
  await until(
    async () => told(/ActivationSuccess</).length,
    (count) => count === devices.length,
  );
  for (const device of devices) {
    const named = device.toUpperCase().replace(/(..)(?!$)/g, '$1-');
    assert.is(told(/ActivationSuccess</).filter(({ text }) => text.includes(named)).length, 1);
  }
  assert.is((await asked()).campaigns.length, 1, 'nothing was made twice');
});

test('a device that no gateway of the fleet has is refused, as at any gateway', async () => {
  assert.is.not(await front.ask(['000d6f00ffffffff']), 'I0');
});

test.run();
