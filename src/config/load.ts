/**
 * Reads a rig file and the model files it names, and checks what no single value can show: that names
 * lead somewhere, that ids, EUI-64s and ports are one of a kind, that files are there.
 *
 * A wrong file throws one ConfigError with every problem in it. Paths in a file are relative to it.
 * Nothing is written, no port is opened and no image is parsed.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type ConfigCode, ConfigError, type Problem } from './codes.ts';
import { expectedWords, explain, keyText, type SchemaIssue } from './explain.ts';
import { nearest } from './nearest.ts';
import {
  type CoordinatorConfig,
  type DeviceDocument,
  type JsonSchema,
  modelJsonSchema,
  type PpmidModel,
  ppmidModelSchema,
  RIG_DEVICES_MAX,
  type Rig,
  type RigDevice,
  type RigDocument,
  rigJsonSchema,
  rigSchema,
} from './schema.ts';
import { type KeyPath, readYaml, throwAny, wholeFile, type YamlSource } from './yaml-source.ts';

const EUI64_MAX = 0xffff_ffff_ffff_fffen;

/** @throws ConfigError */
export function loadRig(path: string): Rig {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const source = readYaml(absolute, shownPath(absolute));
  if (source.has(['kind']) && !source.has(['rig'])) {
    const next = 'name a rig file, such as those in hw-config/rigs';
    throw wholeFile('file-other-kind', source.file, 'a rig file', 'a device model file', next);
  }
  const document = validate(rigSchema, source, rigJsonSchema);
  return new RigBuilder(absolute, source, document).build();
}

/** @throws ConfigError */
export function loadPpmidModel(path: string): PpmidModel {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  const source = readYaml(absolute, shownPath(absolute));
  if (source.has(['rig']) && !source.has(['kind'])) {
    const next = 'name a model file, such as those in hw-config/ppmids';
    throw wholeFile('file-other-kind', source.file, 'a device model file', 'a rig file', next);
  }
  return validate(ppmidModelSchema, source, modelJsonSchema);
}

/** Files with rigs that come with Uplift or lie in the working folder; for help texts too. */
export function knownRigs(): string[] {
  const folders = new Set(
    ['../..', '..'].map((up) => join(import.meta.dirname, up, 'hw-config/rigs')),
  );
  folders.add(resolve('hw-config/rigs'));
  return [...folders].flatMap(yamlFilesIn).map(shownPath);
}

interface Schema<T> {
  safeParse(
    value: unknown,
    options: { error: (issue: { code?: string | undefined }) => string | undefined },
  ): { success: true; data: T } | { success: false; error: { issues: readonly SchemaIssue[] } };
}

function validate<T>(schema: Schema<T>, source: YamlSource, jsonSchema: () => JsonSchema): T {
  const parsed = schema.safeParse(source.value(), { error: expectedWords });
  if (parsed.success) return parsed.data;
  throwAny(explain(parsed.error.issues, source, jsonSchema()));
  throw new Error('a schema refused a file without an issue');
}

class RigBuilder {
  private readonly path: string;
  private readonly folder: string;
  private readonly source: YamlSource;
  private readonly document: RigDocument;
  private readonly problems: Problem[] = [];
  private readonly models = new Map<string, PpmidModel | undefined>();

  constructor(path: string, source: YamlSource, document: RigDocument) {
    this.path = path;
    this.folder = dirname(path);
    this.source = source;
    this.document = document;
  }

  build(): Rig {
    const { document, folder } = this;
    this.checkCoordinators();
    const list = this.file('products-list-missing', document.centralProductsList, [
      'centralProductsList',
    ]);
    const trustAnchors = this.trustAnchors();
    const devices = this.devices();
    throwAny(this.problems);
    return {
      id: document.rig,
      description: document.description,
      path: this.path,
      stateFolder: resolve(folder, document.state),
      centralProductsList: list,
      trustAnchors,
      coordinators: document.coordinators,
      devices,
    };
  }

  private checkCoordinators(): void {
    const ids = new Map<string, KeyPath>();
    const ports = new Map<string, KeyPath>();
    for (const [index, coordinator] of this.document.coordinators.entries()) {
      const path = ['coordinators', index];
      this.once(ids, coordinator.id, [...path, 'id'], 'id-duplicate', 'an id of its own');
      const port = samePort(coordinator.port);
      this.once(ports, port, [...path, 'port'], 'port-shared', 'a port of its own');
      if (coordinator.virtual && coordinator.adapter !== 'zstack') {
        const expected = 'zstack, which is what a virtual coordinator speaks';
        this.add('adapter-not-virtual', [...path, 'adapter'], expected);
      }
    }
  }

  private devices(): RigDevice[] {
    const ids = new Map<string, KeyPath>();
    const eui64s = new Map<string, KeyPath>();
    const devices: RigDevice[] = [];
    for (const [index, document] of this.document.devices.entries()) {
      const path = ['devices', index];
      this.checkCoordinatorOf(document, path);
      const model = this.model(document.model, [...path, 'model']);
      const firmwarePath = this.file('firmware-missing', document.virtual?.firmware, [
        ...path,
        'virtual',
        'firmware',
      ]);
      const count = document.virtual?.count ?? 1;
      if (devices.length + count > RIG_DEVICES_MAX) {
        const expected = `at most ${RIG_DEVICES_MAX} devices in all`;
        this.add('devices-too-many', path, expected, 'more from here on');
        break;
      }
      for (let n = 0; n < count; n++) {
        const id = count === 1 ? document.id : `${document.id}-${n + 1}`;
        const eui64 = this.countedEui64(document.eui64, n, [...path, 'eui64']);
        if (eui64 === undefined) break;
        const own = 'an EUI-64 of its own';
        // One problem tells it for all that are counted up.
        if (!this.once(ids, id, [...path, 'id'], 'id-duplicate', 'an id of its own')) break;
        if (!this.once(eui64s, eui64, [...path, 'eui64'], 'eui64-duplicate', own)) break;
        if (model) devices.push(rigDevice(document, { id, eui64, model, firmwarePath }));
      }
    }
    return devices;
  }

  private checkCoordinatorOf(device: DeviceDocument, path: KeyPath): void {
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

  private model(written: string, path: KeyPath): PpmidModel | undefined {
    const absolute = resolve(this.folder, written);
    if (this.models.has(absolute)) return this.models.get(absolute);
    this.models.set(absolute, undefined);
    if (this.file('model-missing', written, path) === undefined) return undefined;
    try {
      const model = loadPpmidModel(absolute);
      this.models.set(absolute, model);
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
    if (kind === 'folder') return absolute;
    const found = `${kind} at ${shownPath(absolute)}`;
    const expected = 'the path of a folder, relative to this file';
    this.add('trust-anchors-missing', ['trustAnchors'], expected, found);
    return undefined;
  }

  private countedEui64(first: string, n: number, path: KeyPath): string | undefined {
    const counted = BigInt(`0x${first}`) + BigInt(n);
    if (counted <= EUI64_MAX) return counted.toString(16).padStart(16, '0');
    const found = `${first} and ${n} more`;
    this.add('eui64-overflow', path, 'room to count up within 64 bits', found);
    return undefined;
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
    found = this.source.found(path).words,
    next?: string,
  ): void {
    const place = this.source.placeOfValue(path);
    const problem = { code, file: this.source.file, ...place, key: keyText(path), expected, found };
    this.problems.push(next === undefined ? problem : { ...problem, next });
  }
}

function rigDevice(
  document: DeviceDocument,
  own: { id: string; eui64: string; model: PpmidModel; firmwarePath: string | undefined },
): RigDevice {
  const { virtual } = document;
  return {
    id: own.id,
    eui64: own.eui64,
    coordinator: document.coordinator,
    installCode: installCodeFor(own.eui64, document.installCode),
    model: own.model,
    virtual: virtual && {
      // Without the file there is a problem, and no rig.
      firmwarePath: own.firmwarePath ?? '',
      otaClient: { ...own.model.otaClient, ...virtual.otaClient },
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

/** One text for one port, however it is written. */
function samePort(port: CoordinatorConfig['port']): string {
  if (port.includes('://')) return port.toLowerCase().replace('//localhost:', '//127.0.0.1:');
  return existsSync(port) ? realpathSync(port) : port;
}

function refuseAbsent(absolute: string): void {
  const kind = kindOfFile(absolute);
  if (kind === 'folder') {
    throw wholeFile(
      'file-is-folder',
      shownPath(absolute),
      'a YAML file',
      'a folder',
      named('name a file in it', yamlFilesIn(absolute).map(shownPath)),
    );
  }
  if (kind !== 'nothing') return;
  const near = yamlFilesIn(dirname(absolute)).map(shownPath);
  const rigs = [...new Set([...near, ...knownRigs()])];
  const stem = (path: string) => basename(path).replace(/\.ya?ml$/, '');
  const meant = nearest(stem(absolute), rigs.map(stem));
  const match = rigs.find((path) => stem(path) === meant);
  throw wholeFile(
    'file-missing',
    shownPath(absolute),
    'a YAML file',
    'nothing',
    match === undefined ? named('name one of the rigs', rigs) : `did you mean ${match}?`,
  );
}

function kindOfFile(absolute: string): 'file' | 'folder' | 'something else' | 'nothing' {
  try {
    const status = statSync(absolute);
    if (status.isFile()) return 'file';
    return status.isDirectory() ? 'folder' : 'something else';
  } catch {
    return 'nothing';
  }
}

function inFolder(absolute: string): string | undefined {
  const folder = dirname(absolute);
  if (!existsSync(folder)) return `there is no folder ${shownPath(folder)}`;
  const meant = nearest(basename(absolute), filesIn(folder));
  return meant === undefined ? undefined : `did you mean "${meant}"?`;
}

function named(what: string, names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return names.length === 0 ? 'there is none here' : `${what}: ${shown}`;
}

function yamlFilesIn(folder: string): string[] {
  return filesIn(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => join(folder, name));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Relative to the working folder where it lies in it. */
function shownPath(absolute: string): string {
  const fromHere = relative(process.cwd(), absolute);
  return fromHere === '' || fromHere.startsWith('..') ? absolute : fromHere;
}
