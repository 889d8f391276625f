/**
 * What documents say, read as plainly as can be: lines and commas, offsets and digits. Shares nothing
 * with the product. It answers one question: do these documents, as they now read, admit the image?
 * It knows what the cases need in which a flip may make that true, and nothing of signatures.
 */
import { createHash } from 'node:crypto';
import type { Documents, Scene } from './desk.ts';

type Row = Record<string, string>;

/** The installation's other devices, and the model of the one that is upgraded, as lists write it. */
const HARDWARE = ['manufacturer', 'model', 'hardwareVersion', 'hardwareRevision'] as const;

export function naivelyAdmits(scene: Scene, documents: Documents): boolean {
  const image = Buffer.from(documents.image!);
  const isHub = scene.profile === 'mcuboot' || scene.profile === 'gbl';
  if (!isHub && !headerFits(scene, image)) return false;
  const hash = sha256(isHub ? image : image.subarray(image.readUInt16LE(6)));
  const rows = rowsOf(documents.products);
  if (!rows) return scene.policy?.listRequired === false;
  const entries = rows.filter((row) => isEntry(scene, row, hash));
  return entries.some((entry) => entryAdmits(scene, documents, entry, rows, image));
}

/** Whether one of the sub-elements has one of these tags, as far as they are read. */
export function naivelyTagged(bytes: Uint8Array, tags: readonly number[]): boolean {
  const image = Buffer.from(bytes);
  for (let at = image.readUInt16LE(6); at + 6 <= image.length; ) {
    const end = at + 6 + image.readUInt32LE(at + 2);
    if (end > image.length) return false;
    if (tags.includes(image.readUInt16LE(at))) return true;
    at = end;
  }
  return false;
}

function headerFits({ device, intake }: Scene, image: Buffer): boolean {
  const fields = image.readUInt16LE(8);
  let at = 56 + (fields & 1 ? 1 : 0);
  if (fields & 2) {
    const eui64 = Buffer.from(image.subarray(at, at + 8))
      .reverse()
      .toString('hex');
    if (eui64 !== device.eui64) return false;
    at += 8;
  }
  if (fields & 4) {
    const { hardwareVersion = 0 } = device;
    if (hardwareVersion < image.readUInt16LE(at)) return false;
    if (hardwareVersion > image.readUInt16LE(at + 2)) return false;
  }
  const isOrAny = (value: number, own: number | undefined) => value === own || value === 0xffff;
  const version = image.readUInt32LE(14);
  return (
    isOrAny(image.readUInt16LE(10), device.manufacturerCode) &&
    isOrAny(image.readUInt16LE(12), device.imageType) &&
    version > (device.currentFileVersion ?? 0) &&
    version !== 0xffffffff &&
    image.readUInt32LE(52) === image.length &&
    intake !== undefined
  );
}

function isEntry({ device: { deviceModel = {} }, nowMs }: Scene, row: Row, hash: string): boolean {
  const is = (column: string, wanted = '') => same(row[column], wanted);
  return (
    is('manufacturer_image_hash', hash) &&
    is('manufacturer', deviceModel.manufacturer) &&
    is('model', deviceModel.model) &&
    is('hardware_version', deviceModel.hardwareVersion) &&
    is('status', 'current') &&
    (!row['dcc_status'] || is('dcc_status', 'active')) &&
    from(row['listed_from'], nowMs) &&
    before(row['removed_from'], nowMs)
  );
}

function entryAdmits(
  scene: Scene,
  documents: Documents,
  entry: Row,
  rows: readonly Row[],
  image: Buffer,
): boolean {
  const { intake, nowMs, policy } = scene;
  const version = image.readUInt32LE(14);
  const isVersion =
    policy?.firmwareVersionMismatch !== 'refuse' ||
    same(entry['firmware_version'], version.toString(16).padStart(8, '0'));
  const loaded = entry['dcc_loaded_from'] ?? '';
  const isLoaded = intake !== 'service-request' || loaded === '' || from(loaded, nowMs);
  return (
    isVersion &&
    isLoaded &&
    pathwayHolds(scene, entry, rows) &&
    floorHolds(scene, documents, version) &&
    (intake === 'bench' || combinationHolds(scene, documents, entry)) &&
    supplierAsks(scene, documents)
  );
}

function pathwayHolds({ device }: Scene, entry: Row, rows: readonly Row[]): boolean {
  const text = (entry['upgrade_from'] ?? '').trim();
  if (text === '') return true;
  const running = (device.currentFileVersion ?? 0).toString(16).padStart(8, '0');
  return rows.some(
    (row) =>
      text.split(/[\s;,]+/).includes(row['entry_id']!.trim()) &&
      same(row['firmware_version'], running),
  );
}

function floorHolds({ device }: Scene, { floors }: Documents, version: number): boolean {
  if (!floors) return true;
  const document = JSON.parse(Buffer.from(floors).toString()) as {
    floors: (Record<(typeof HARDWARE)[number], string> & { floor: number })[];
  };
  return document.floors.every(
    (one) =>
      !HARDWARE.every((field) => same(one[field], device.deviceModel?.[field])) ||
      version >= one.floor,
  );
}

/** Of every row of the list, the set of its models as text; the installation with the new version. */
function combinationHolds(scene: Scene, documents: Documents, entry: Row): boolean {
  if (same(entry['generation'], 'smets2')) return true;
  const { deviceModel = {} } = scene.device;
  const home = rowsOf(documents.installations)?.find(({ installation_id: id }) => id === 'HOME-1');
  if (!home) return false;
  const hardware = HARDWARE.map((field) => deviceModel[field]).join(':');
  const isOwn = (model: string) => same(model.split(':').slice(0, 4).join(':'), hardware);
  if (!modelsOf(home).some(isOwn)) return false;
  const wanted = setOf(home['provider'], [
    ...modelsOf(home).filter((model) => !isOwn(model)),
    `${hardware}:${entry['firmware_version']}`,
  ]);
  const stands = (row: Row, on: string, off: string) =>
    setOf(row['provider'], modelsOf(row)) === wanted &&
    from(row[on], scene.nowMs) &&
    before(row[off], scene.nowMs);
  if (rowsOf(documents.eligible)?.some((row) => stands(row, 'added_on', 'removed_from')))
    return true;
  const test = rowsOf(documents.pending)?.find(
    (row) => row['ppct_reference'] === entry['ppct_reference'],
  );
  return (
    test !== undefined &&
    same(entry['generation'], 'smets1') &&
    from(entry['expedited_added_on'], scene.nowMs) &&
    before(entry['expedited_ends_on'], scene.nowMs) &&
    (test['outcome'] === 'open' || test['closed_on'] !== '') &&
    stands(test, 'opened_on', 'closed_on')
  );
}

function supplierAsks({ request }: Scene, { installations }: Documents): boolean {
  if (request?.party === undefined) return true;
  const home = rowsOf(installations)?.find(({ installation_id: id }) => id === 'HOME-1');
  return same(home?.['electricity_supplier'], request.party);
}

function modelsOf(row: Row): string[] {
  const kinds = ['communications_hub', 'esme', 'gsme', 'ppmid'];
  return kinds.flatMap((kind) => (row[kind] ?? '').split(';').filter((text) => text.trim() !== ''));
}

function setOf(provider: string | undefined, models: readonly string[]): string {
  const folded = models.map((model) =>
    model
      .split(':')
      .map((part) => part.trim().toUpperCase())
      .join(':'),
  );
  return `${provider?.trim().toUpperCase()} ${[...new Set(folded)].sort().join(' ')}`;
}

function rowsOf(csv: Uint8Array | undefined): Row[] | undefined {
  if (!csv) return undefined;
  const [heading, ...lines] = Buffer.from(csv).toString().split('\n');
  const columns = heading!.split(',').map((name) => name.trim().toLowerCase());
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const cells = line.split(',');
      return Object.fromEntries(columns.map((name, at) => [name, cells[at] ?? '']));
    });
}

function same(a: string | undefined, b: string | undefined): boolean {
  return (a ?? '').trim().toUpperCase() === (b ?? '').trim().toUpperCase();
}

/** The date is one, and has come. */
function from(date: string | undefined, nowMs: number): boolean {
  const ms = dateMs(date);
  return ms !== undefined && nowMs >= ms;
}

/** There is no date, or it has not come. */
function before(date: string | undefined, nowMs: number): boolean {
  if ((date ?? '').trim() === '') return true;
  const ms = dateMs(date);
  return ms !== undefined && nowMs < ms;
}

function dateMs(text = ''): number | undefined {
  const [year, month, day] = text.trim().split('-').map(Number);
  if (!/^\d{4}-\d\d-\d\d$/.test(text.trim())) return undefined;
  const date = new Date(Date.UTC(year!, month! - 1, day!));
  return date.getUTCDate() === day && date.getUTCMonth() + 1 === month ? date.getTime() : undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
