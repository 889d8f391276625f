/**
 * A rig out of its document and the model files it names, after the checks that no single value can show:
 * that names lead somewhere, that ids, EUI-64s and ports are one of a kind, that files are there.
 */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { type ConfigCode, ConfigError, type Problem } from './codes.ts';
import { keyText, problemAt } from './explain.ts';
import { inFolder, kindOfFile, shownPath } from './files.ts';
import { virtualSmp } from './hub-schema.ts';
import { loadHubModel, loadPpmidModel } from './models.ts';
import { nearest } from './nearest.ts';
import {
  RIG_DEVICES_MAX,
  type RigDocument,
  type SerialDeviceDocument,
  type ZigbeeDeviceDocument,
} from './rig-schema.ts';
import type {
  DeviceWiring,
  HubDevice,
  HubModel,
  PowerConfig,
  PpmidDevice,
  PpmidModel,
  Rig,
  RigAdmission,
  RigDevice,
} from './schema.ts';
import { type KeyPath, throwAny, type YamlSource } from './yaml-source.ts';

/** An image on trial, and one that waits beside another, are MCUboot's. */
const CRASH = ['faults', 'crashAfterActivationMs'];
const LOST_SLOT = ['faults', 'losesSlotOnPowerCut'];

const EUI64_MAX = 0xffff_ffff_ffff_fffen;

/** @throws ConfigError */
export function buildRig(path: string, source: YamlSource, document: RigDocument): Rig {
  return new RigBuilder(path, source, document).build();
}

class RigBuilder {
  private readonly path: string;
  private readonly folder: string;
  private readonly source: YamlSource;
  private readonly document: RigDocument;
  private readonly problems: Problem[] = [];
  private readonly ppmidModels = new Map<string, PpmidModel | undefined>();
  private readonly hubModels = new Map<string, HubModel | undefined>();
  /** Who has which id, EUI-64, serial number and port so far. */
  private readonly ids = new Map<string, KeyPath>();
  private readonly eui64s = new Map<string, KeyPath>();
  private readonly serialNumbers = new Map<string, KeyPath>();
  private readonly ports = new Map<string, KeyPath>();

  constructor(path: string, source: YamlSource, document: RigDocument) {
    this.path = path;
    this.folder = dirname(path);
    this.source = source;
    this.document = document;
  }

  build(): Rig {
    const { document, folder } = this;
    this.checkCoordinators();
    this.checkWan();
    const list = this.file('products-list-missing', document.centralProductsList, [
      'centralProductsList',
    ]);
    const trustAnchors = this.trustAnchors();
    const admission = this.admission();
    const devices = this.devices();
    throwAny(this.problems);
    return {
      id: document.rig,
      description: document.description,
      path: this.path,
      stateFolder: resolve(folder, document.state),
      centralProductsList: list,
      trustAnchors,
      admission,
      auditLog: document.auditLog === undefined ? undefined : resolve(folder, document.auditLog),
      wan: document.wan,
      coordinators: document.coordinators.map((coordinator) => ({
        ...coordinator,
        port: resolvedPort(folder, coordinator.port),
        ...wiringIn(folder, { power: coordinator.power }),
      })),
      devices,
      ppmids: devices.filter((device) => device.kind === 'ppmid'),
      hubs: devices.filter((device) => device.kind === 'hub'),
    };
  }

  private checkCoordinators(): void {
    const ids = new Map<string, KeyPath>();
    for (const [index, coordinator] of this.document.coordinators.entries()) {
      const path = ['coordinators', index];
      this.once(ids, coordinator.id, [...path, 'id'], 'id-duplicate', 'an id of its own');
      this.oncePort(coordinator.port, [...path, 'port']);
      if (coordinator.virtual && coordinator.adapter !== 'zstack') {
        const expected = 'zstack, which is what a virtual coordinator speaks';
        this.add('adapter-not-virtual', [...path, 'adapter'], expected);
      }
      this.checkWiring({ power: coordinator.power }, coordinator.virtual !== undefined, path);
    }
  }

  private checkWan(): void {
    const ids = new Map<string, KeyPath>();
    for (const [index, { id }] of this.document.wan.entries())
      this.once(ids, id, ['wan', index, 'id'], 'id-duplicate', 'an id of its own');
  }

  private devices(): RigDevice[] {
    const devices: RigDevice[] = [];
    for (const [index, document] of this.document.devices.entries()) {
      const path = ['devices', index];
      const zigbee = 'coordinator' in document;
      this.checkWiring(document, document.virtual !== undefined, path);
      const count = zigbee ? (document.virtual?.count ?? 1) : 1;
      if (devices.length + count > RIG_DEVICES_MAX) {
        const expected = `at most ${RIG_DEVICES_MAX} devices in all`;
        this.add('devices-too-many', path, expected, 'more from here on');
        break;
      }
      devices.push(...(zigbee ? this.ppmids(document, count, path) : this.hub(document, path)));
    }
    return devices;
  }

  private ppmids(document: ZigbeeDeviceDocument, count: number, path: KeyPath): PpmidDevice[] {
    this.checkCoordinatorOf(document, path);
    const model = this.model(this.ppmidModels, loadPpmidModel, document.model, path);
    const firmwarePath = this.firmware(document, path);
    const devices: PpmidDevice[] = [];
    for (let n = 0; n < count; n++) {
      const id = count === 1 ? document.id : `${document.id}-${n + 1}`;
      const eui64 = this.countedEui64(document.eui64, n, [...path, 'eui64']);
      if (eui64 === undefined) break;
      const own = 'an EUI-64 of its own';
      // One problem tells it for all that are counted up.
      if (!this.onceId(id, path)) break;
      if (!this.once(this.eui64s, eui64, [...path, 'eui64'], 'eui64-duplicate', own)) break;
      if (model)
        devices.push({
          ...ppmidDevice(document, { id, eui64, model, firmwarePath }),
          ...wiringIn(this.folder, document),
        });
    }
    return devices;
  }

  /** None where it has problems. */
  private hub(document: SerialDeviceDocument, path: KeyPath): HubDevice[] {
    const model = this.model(this.hubModels, loadHubModel, document.model, path);
    const firmwarePath = this.firmware(document, path);
    this.onceId(document.id, path);
    const { serialNumber, chf } = document;
    if (chf !== undefined) {
      const own = 'an EUI-64 of its own';
      this.once(this.eui64s, chf, [...path, 'chf'], 'eui64-duplicate', own);
    }
    if (serialNumber !== undefined) {
      const own = 'a serial number of its own';
      const place = [...path, 'serialNumber'];
      this.once(this.serialNumbers, serialNumber, place, 'serial-number-duplicate', own);
    }
    const port = resolvedPort(this.folder, document.port);
    this.oncePort(port, [...path, 'port']);
    if (document.virtual && port.startsWith('usb:')) {
      const expected =
        'a path to make a pseudo-terminal at, or tcp://host:port, of a virtual device';
      this.add('port-not-virtual', [...path, 'port'], expected);
    }
    if (document.virtual && model && model.serial.protocol !== 'smp') {
      const { smp, faults } = document.virtual;
      const expected = `nothing: its model ${model.model} speaks ${model.serial.protocol}`;
      const ofSmp = [
        ...(smp === undefined ? [] : [['smp']]),
        ...(faults.crashAfterActivationMs === undefined ? [] : [CRASH]),
        ...(faults.losesSlotOnPowerCut ? [LOST_SLOT] : []),
      ];
      for (const key of ofSmp) this.add('protocol-other', [...path, 'virtual', ...key], expected);
    }
    if (model === undefined) return [];
    const wiring = wiringIn(this.folder, document);
    return [{ ...hubDevice(document, { port, model, firmwarePath }), ...wiring }];
  }

  /** A supply that is made of software is that of a device that is. */
  private checkWiring({ power, buttons = {} }: DeviceWiring, isVirtual: boolean, path: KeyPath) {
    const wired = [
      ...(power ? [{ driver: power.driver, at: [...path, 'power'] }] : []),
      ...Object.entries(buttons).map(([name, { driver }]) => ({
        ...{ driver, at: [...path, 'buttons', name] },
      })),
    ];
    for (const { driver, at } of wired) {
      if (driver !== 'virtual' || isVirtual) continue;
      this.add('power-not-virtual', [...at, 'driver'], 'the driver of a real switch', 'virtual');
    }
  }

  private firmware(
    { virtual }: { virtual?: { firmware: string } | undefined },
    path: KeyPath,
  ): string | undefined {
    return this.file('firmware-missing', virtual?.firmware, [...path, 'virtual', 'firmware']);
  }

  private checkCoordinatorOf(device: ZigbeeDeviceDocument, path: KeyPath): void {
    const { coordinators } = this.document;
    const coordinator = coordinators.find(({ id }) => id === device.coordinator);
    if (!coordinator) {
      const known = coordinators.map(({ id }) => id);
      const meant = nearest(device.coordinator, known);
      this.add(
        'coordinator-unknown',
        [...path, 'coordinator'],
        known.length === 0 ? 'a coordinator, and the rig has none' : `one of ${known.join(', ')}`,
        undefined,
        meant === undefined ? undefined : `did you mean "${meant}"?`,
      );
    } else if (device.virtual && !coordinator.virtual) {
      const expected = `nothing: its coordinator ${coordinator.id} is not virtual`;
      this.add('coordinator-not-virtual', [...path, 'virtual'], expected);
    }
  }

  /** Read once, however many devices are of it. */
  private model<T>(
    models: Map<string, T | undefined>,
    load: (path: string) => T,
    written: string,
    devicePath: KeyPath,
  ): T | undefined {
    const path = [...devicePath, 'model'];
    const absolute = resolve(this.folder, written);
    if (models.has(absolute)) return models.get(absolute);
    models.set(absolute, undefined);
    if (this.file('model-missing', written, path) === undefined) return undefined;
    try {
      const model = load(absolute);
      models.set(absolute, model);
      return model;
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      const found = `one with ${cause.problems.length} wrong, told below`;
      this.add('model-wrong', path, 'a correct model file', found);
      this.problems.push(...cause.problems);
      return undefined;
    }
  }

  /** The absolute path of a file that is there. */
  private file(code: ConfigCode, written: string | undefined, path: KeyPath): string | undefined {
    if (written === undefined) return undefined;
    const absolute = resolve(this.folder, written);
    const kind = kindOfFile(absolute);
    if (kind === 'file') return absolute;
    const found = `${kind} at ${shownPath(absolute)}`;
    this.add(code, path, 'the path of a file, relative to this one', found, inFolder(absolute));
    return undefined;
  }

  private trustAnchors(): string | undefined {
    const { trustAnchors } = this.document;
    if (trustAnchors === undefined) return undefined;
    const absolute = resolve(this.folder, trustAnchors);
    const kind = kindOfFile(absolute);
    if (kind === 'folder' || kind === 'file') return absolute;
    const found = `${kind} at ${shownPath(absolute)}`;
    const expected = 'the path of a folder or a document, relative to this file';
    this.add('trust-anchors-missing', ['trustAnchors'], expected, found);
    return undefined;
  }

  private admission(): RigAdmission | undefined {
    const { admission } = this.document;
    if (!admission) return undefined;
    const file = (written: string | undefined, ...path: KeyPath) =>
      this.file('admission-file-missing', written, ['admission', ...path]);
    const files = (key: 'certificates' | 'revocationLists') =>
      admission[key]?.flatMap((written, index) => file(written, key, index) ?? []);
    return {
      ...admission,
      eligibleCombinations: file(admission.eligibleCombinations, 'eligibleCombinations'),
      pendingCombinations: file(admission.pendingCombinations, 'pendingCombinations'),
      columns: file(admission.columns, 'columns'),
      installations: file(admission.installations, 'installations'),
      floors: file(admission.floors, 'floors'),
      waiver: file(admission.waiver, 'waiver'),
      certificates: files('certificates'),
      revocationLists: files('revocationLists'),
    };
  }

  private countedEui64(first: string, n: number, path: KeyPath): string | undefined {
    const counted = BigInt(`0x${first}`) + BigInt(n);
    if (counted <= EUI64_MAX) return counted.toString(16).padStart(16, '0');
    const found = `${first} and ${n} more`;
    this.add('eui64-overflow', path, 'room to count up within 64 bits', found);
    return undefined;
  }

  private onceId(id: string, path: KeyPath): boolean {
    return this.once(this.ids, id, [...path, 'id'], 'id-duplicate', 'an id of its own');
  }

  private oncePort(written: string, path: KeyPath): void {
    const port = samePort(resolvedPort(this.folder, written));
    this.once(this.ports, port, path, 'port-shared', 'a port of its own');
  }

  /** Remembers who has the value; a problem where somebody had it before. */
  private once(
    holders: Map<string, KeyPath>,
    value: string,
    path: KeyPath,
    code: ConfigCode,
    expected: string,
  ): boolean {
    const holder = holders.get(value);
    if (holder === undefined) {
      holders.set(value, path);
      return true;
    }
    const { line } = this.source.placeOfValue(holder);
    const found = `${value}, which ${keyText(holder)} in line ${line} has`;
    this.add(code, path, expected, found);
    return false;
  }

  private add(
    code: ConfigCode,
    path: KeyPath,
    expected: string,
    found?: string,
    next?: string,
  ): void {
    this.problems.push(problemAt(this.source, path, { code, expected, found, next }));
  }
}

function ppmidDevice(
  document: ZigbeeDeviceDocument,
  own: { id: string; eui64: string; model: PpmidModel; firmwarePath: string | undefined },
): PpmidDevice {
  const { virtual } = document;
  return {
    kind: 'ppmid',
    id: own.id,
    eui64: own.eui64,
    coordinator: document.coordinator,
    installCode: installCodeFor(own.eui64, document.installCode),
    installation: document.installation,
    model: own.model,
    virtual: virtual && {
      // Without the file there is a problem, and no rig.
      firmwarePath: own.firmwarePath ?? '',
      otaClient: { ...own.model.otaClient, ...virtual.otaClient },
      faults: virtual.faults,
    },
  };
}

function hubDevice(
  document: SerialDeviceDocument,
  own: { port: string; model: HubModel; firmwarePath: string | undefined },
): HubDevice {
  const { virtual } = document;
  const { protocol, baudRate } = own.model.serial;
  return {
    kind: 'hub',
    id: document.id,
    port: own.port,
    baudRate: document.baudRate ?? baudRate,
    serialNumber: document.serialNumber,
    eui64: document.chf,
    installation: document.installation,
    model: own.model,
    virtual: virtual && {
      firmwarePath: own.firmwarePath ?? '',
      seed: virtual.seed,
      turnRoundMs: virtual.turnRoundMs,
      bootMs: virtual.bootMs,
      smp: protocol === 'smp' ? (virtual.smp ?? virtualSmp.parse({})) : undefined,
      faults: virtual.faults,
    },
  };
}

/** The bare digits say nothing of whose they are; the other forms do. */
function installCodeFor(eui64: string, written: string | undefined): string | undefined {
  return written !== undefined && /^[0-9a-fA-F]+$/.test(written) && written.length <= 36
    ? `${eui64}|${written}`
    : written;
}

/** Programs that are named by a path stand where it leads from the rig's folder. */
function wiringIn(folder: string, { power, buttons }: DeviceWiring): DeviceWiring {
  const placed = (config: PowerConfig): PowerConfig => {
    if (config.driver !== 'command') return config;
    const program = ([name, ...rest]: string[]) => [
      name!.includes('/') ? resolve(folder, name!) : name!,
      ...rest,
    ];
    const { on, off, state } = config;
    return {
      ...config,
      on: program(on),
      off: program(off),
      ...(state && { state: program(state) }),
    };
  };
  return {
    ...(power && { power: placed(power) }),
    ...(buttons && {
      buttons: Object.fromEntries(
        Object.entries(buttons).map(([name, config]) => [name, placed(config)]),
      ),
    }),
  };
}

/** The port as any folder may open it: a path from the rig's folder, all else as it is written. */
function resolvedPort(folder: string, written: string): string {
  const path = !/^(usb:|COM\d+$|[a-z]+:\/\/|\\\\)/i.test(written) && !isAbsolute(written);
  return path ? resolve(folder, written) : written;
}

/** One text for one port, however it is written. */
export function samePort(port: string): string {
  if (port.includes('://')) return port.toLowerCase().replace('//localhost:', '//127.0.0.1:');
  return existsSync(port) ? realpathSync(port) : port;
}
