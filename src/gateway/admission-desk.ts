/**
 * What the service decides on: the images of its store as each device reads them, the lists that are in
 * force, and what is around each device. Everything is read, and what is wrong said, before a job rests on it.
 */
import type { RequestFacts } from '../admission/context.ts';
import { decideAdmission } from '../admission/decide.ts';
import { entriesInForce } from '../admission/entries.ts';
import type { AdmissionPolicy, DeviceFacts } from '../admission/facts.ts';
import type { Regulation } from '../admission/regulation.ts';
import { whySecondPerson } from '../admission/second-person.ts';
import { hexDigits } from '../bytes/hex.ts';
import type { HubDevice, Rig, RigDevice } from '../config/schema.ts';
import { assert, EXIT, UpliftError } from '../errors.ts';
import type { JobActivation } from '../jobs/records.ts';
import type { CentralProductsList, ListOptions } from '../products/central-products-list.ts';
import type { OpenedImage } from '../store/images.ts';
import { acceptList } from './accepted-list.ts';
import type { ReviewView } from './control.ts';
import { factsOfDevice } from './device-facts.ts';
import { planOf } from './device-plan.ts';
import type { Brief } from './field.ts';
import { ImageFile, type LoadedImage } from './image-library.ts';
import { loadCentralProductsList } from './list-library.ts';
import type { SaidVersion } from './record-keeper.ts';
import type { StateFolder } from './state-folder.ts';
import { type Surroundings, type SurroundingsOptions, surroundingsOf } from './surroundings.ts';

export interface DeskImages {
  open(sha256: string): OpenedImage;
  imagePath(sha256: string): string;
}

export interface DeskSite extends SurroundingsOptions {
  centralProductsList?: string | undefined;
  listMapping?: ListOptions['mapping'];
  ages?: Regulation['ages'] | undefined;
}

/** Images that are kept in memory as they were judged; a gateway rarely has more at a time. */
const JUDGED_MAX = 4;
const NO_REQUESTS: ReadonlySet<string> = new Set();
/** Where nothing tells, as of an image that cannot be read: it is refused before it takes long. */
const UNPLANNED_MS = 3_600_000;

interface JudgedImage {
  bytes: Uint8Array;
  byRig: Map<Rig, ImageFile>;
}

interface RigDesk {
  rig: Rig;
  surroundings: Surroundings;
  list: CentralProductsList | undefined;
  /** Of each installation the first. */
  hubs: Map<string, HubDevice>;
}

interface Placed {
  device: RigDevice;
  desk: RigDesk;
}

export interface ReviewOptions {
  /** What the device said last that it runs. */
  said: SaidVersion | undefined;
  activation: JobActivation;
  nowMs: number;
}

export type Review = Omit<ReviewView, 'device' | 'runs' | 'runsReadMs'>;

export type ListMemory = Pick<StateFolder, 'acceptedList' | 'rememberList'>;

export class AdmissionDesk {
  private readonly images: DeskImages;
  private readonly policy: AdmissionPolicy;
  private readonly byDevice = new Map<string, Placed>();
  private desks: ReadonlyMap<Rig, RigDesk> = new Map();
  private readonly memoryOf: (rig: Rig) => ListMemory;
  private readonly rigs: readonly Rig[];
  private site: DeskSite;
  /** By image, then by rig: rigs may trust others. The image that was used longest ago first. */
  private readonly judged = new Map<string, JudgedImage>();

  /** `memoryOf`: where a rig keeps which list it used last. @throws UpliftError */
  constructor(
    rigs: readonly Rig[],
    site: DeskSite,
    images: DeskImages,
    memoryOf: (rig: Rig) => ListMemory,
  ) {
    this.memoryOf = memoryOf;
    this.rigs = rigs;
    this.images = images;
    this.site = site;
    this.policy = site.ages === undefined ? {} : { regulation: { ages: site.ages } };
    this.read();
  }

  /** Other lists are in force from now on; what is wrong with them is thrown, and the old ones stay. */
  change(change: DeskSite): void {
    const before = this.site;
    this.site = { ...before, ...change };
    try {
      this.read();
    } catch (error) {
      this.site = before;
      throw error;
    }
    this.judged.clear();
  }

  /** Devices that its rig has besides, or that are other than they were. */
  devicesChanged(rig: Rig, devices: readonly RigDevice[]): void {
    const desk = this.desks.get(rig);
    assert(desk !== undefined, `the rig ${rig.id} is of this gateway`);
    for (const device of devices) this.place(device, desk, this.byDevice);
  }

  /** @throws UpliftError where the image is not what it was */
  brief(sha256: string, id: string, request?: RequestFacts): Brief {
    const { device, desk } = this.deskOf(id);
    const { surroundings, list } = desk;
    const image = this.file(sha256, desk).for(device.model.imageProfile);
    const around = surroundings.contextFor(device);
    // That no other is open for the device is seen to before there is a job.
    const asked = { intake: 'service-request' as const, request, openRequests: NO_REQUESTS };
    return {
      image,
      list,
      policy: this.policy,
      context: request ? { ...around, ...asked } : around,
    };
  }

  /** What is known of the device before it is asked: its model file. */
  factsOf(id: string): DeviceFacts {
    return factsOfDevice(this.deskOf(id).device);
  }

  /** Whether there is a waiver at all by which it might. */
  mayGoBack(id: string): boolean {
    const { device, desk } = this.deskOf(id);
    return desk.surroundings.contextFor(device).waiver !== undefined;
  }

  /** The EUI-64 of the Communications Hub of its premises, as far as its rig says; of a hub its own. */
  hubOf(id: string): string | undefined {
    const { device, desk } = this.deskOf(id);
    if (device.kind === 'hub') return device.eui64;
    const { installation } = device;
    return installation === undefined ? undefined : desk.hubs.get(installation)?.eui64;
  }

  /** Of its premises, as installations name them; none where none is known. */
  suppliersOf(id: string): string[] {
    const { device, desk } = this.deskOf(id);
    const { electricity, gas } = desk.surroundings.contextFor(device).installation?.suppliers ?? {};
    return [electricity, gas].filter((name) => name !== undefined);
  }

  /** The device is about to be sent something on the word of its list. */
  admitted(id: string, nowMs: number): void {
    const { rig, list } = this.deskOf(id).desk;
    acceptList(list, this.memoryOf(rig), nowMs);
  }

  /** The decision on what is known now, the rows it rests on, and the plan. @throws UpliftError */
  review(sha256: string, id: string, { said, activation, nowMs }: ReviewOptions): Review {
    const { device } = this.deskOf(id);
    const { image, list, policy, context } = this.brief(sha256, id);
    const known = saidFacts(factsOfDevice(device), said);
    const facts = { image: image.facts, device: known, list, policy, context };
    const plan = planOf(device, image, activation);
    const installs = installedBy(image);
    const decision = decideAdmission(facts, nowMs);
    const secondPerson = whySecondPerson(facts, decision, nowMs);
    return {
      decision,
      facts,
      entries: entriesInForce(facts, nowMs),
      ...(installs === undefined ? {} : { installs }),
      ...(plan ? { plan } : {}),
      ...(secondPerson === undefined ? {} : { secondPerson }),
    };
  }

  /** At the longest, as far as can be said before. */
  expectedMs(sha256: string, id: string): number {
    const { device, desk } = this.deskOf(id);
    try {
      const image = this.file(sha256, desk).for(device.model.imageProfile);
      return planOf(device, image, { when: 'now' })?.mostMs ?? UNPLANNED_MS;
    } catch (error) {
      if (error instanceof UpliftError) return UNPLANNED_MS;
      throw error;
    }
  }

  private deskOf(id: string) {
    const found = this.byDevice.get(id);
    assert(found !== undefined, `${id} is of a rig of this gateway`);
    return found;
  }

  private file(sha256: string, { rig, surroundings }: RigDesk): ImageFile {
    const { bytes, byRig } = this.judgedImage(sha256);
    const known = byRig.get(rig);
    if (known) return known;
    const { trust } = surroundings;
    const file = new ImageFile(this.images.imagePath(sha256), { trust }, bytes);
    byRig.set(rig, file);
    return file;
  }

  private judgedImage(sha256: string): JudgedImage {
    const known = this.judged.get(sha256);
    const opened = known ? undefined : this.images.open(sha256);
    if (opened && !opened.ok) throw unusable(sha256, opened);
    const image = known ?? { bytes: opened!.bytes, byRig: new Map() };
    this.judged.delete(sha256);
    this.judged.set(sha256, image);
    const [oldest] = this.judged.keys();
    if (this.judged.size > JUDGED_MAX) this.judged.delete(oldest!);
    return image;
  }

  private read(): void {
    const { centralProductsList, listMapping, ages: _, ...site } = this.site;
    const found = new Map<string, Placed>();
    const desks = new Map<Rig, RigDesk>();
    for (const rig of this.rigs) {
      const surroundings = surroundingsOf({}, rig, site);
      const { stamp } = surroundings;
      const path = centralProductsList ?? rig.centralProductsList;
      const accepted = this.memoryOf(rig).acceptedList();
      const options = { stamp, accepted, ...(listMapping ? { mapping: listMapping } : {}) };
      const list = path === undefined ? undefined : loadCentralProductsList(path, options);
      const desk: RigDesk = { rig, surroundings, list, hubs: new Map() };
      desks.set(rig, desk);
      for (const device of rig.devices) this.place(device, desk, found);
    }
    this.byDevice.clear();
    for (const [id, one] of found) this.byDevice.set(id, one);
    this.desks = desks;
  }

  private place(device: RigDevice, desk: RigDesk, places: Map<string, Placed>): void {
    places.set(device.id, { device, desk });
    const { kind, installation } = device;
    if (kind === 'hub' && installation !== undefined && !desk.hubs.has(installation))
      desk.hubs.set(installation, device);
  }
}

function saidFacts(device: DeviceFacts, said: SaidVersion | undefined): DeviceFacts {
  if (!said) return device;
  if (device.kind === 'communications_hub') return { ...device, runningVersion: said.version };
  const digits = said.fileVersion ?? said.version;
  if (!/^[0-9a-f]{8}$/i.test(digits)) return device;
  return { ...device, currentFileVersion: Number.parseInt(digits, 16) };
}

function installedBy({ image, hubImage }: LoadedImage): string | undefined {
  return image ? hexDigits(image.header.fileVersion, 8) : hubImage?.version?.text;
}

function unusable(sha256: string, { code, message }: { code: string; message: string }) {
  return new UpliftError(code, `the image ${sha256} cannot be used: ${message}`, {
    expected: 'the image as it was stored',
    actual: message,
    next: 'store it again, then retry the job',
    exit: EXIT.refused,
  });
}
