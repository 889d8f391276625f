/** A decision on documents as bytes, each read by its own reader, beside a scene that nobody attacks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AdmissionContext, Intake, RequestFacts } from '../../../src/admission/context.ts';
import { type Decision, decideAdmission } from '../../../src/admission/decide.ts';
import {
  type AdmissionPolicy,
  type AnyImageProfile,
  type DeviceFacts,
  gatherImageFacts,
  type ImageFactsOptions,
} from '../../../src/admission/facts.ts';
import { UpliftError } from '../../../src/errors.ts';
import { loadTrust } from '../../../src/gateway/trust-folder.ts';
import {
  type CentralProductsList,
  type ListOptions,
  readCentralProductsList,
} from '../../../src/products/central-products-list.ts';
import {
  type EligibleCombinations,
  readEligibleCombinations,
} from '../../../src/products/eligible-combinations.ts';
import {
  type Installation,
  type Installations,
  readInstallations,
} from '../../../src/products/installations.ts';
import {
  type PendingCombinations,
  readPendingCombinations,
} from '../../../src/products/pending-combinations.ts';
import { parseTable, type Table } from '../../../src/products/table.ts';
import { parseRevocationList, type RevocationList } from '../../../src/trust/crl.ts';
import {
  type DowngradeWaiver,
  parseWaiver,
  waiverKeysOf,
} from '../../../src/trust/downgrade-waiver.ts';
import { parseVersionFloors, type VersionFloors } from '../../../src/trust/rollback.ts';
import type { LoadedAnchors } from '../../../src/trust/trust-anchors.ts';
import { type Certificate, parseCertificate } from '../../../src/trust/x509.ts';

/** Kinds of document; one of several is named by its kind, a dot and what it is. */
export const KINDS = [
  'image',
  'products',
  'eligible',
  'pending',
  'installations',
  'floors',
  'waiver',
  'anchors',
  'certificate',
  'crl',
] as const;

export type Kind = (typeof KINDS)[number];
export type DocumentName = Kind | `${'certificate' | 'crl'}.${string}`;
export type Documents = Readonly<Partial<Record<DocumentName, Uint8Array>>>;

/** What is known by other ways than documents: the device itself, the clock, the site's own choices. */
export interface Scene {
  profile: AnyImageProfile;
  device: DeviceFacts;
  intake: Intake;
  nowMs: number;
  /** When the lists were fetched. */
  fetchedAtMs: number;
  policy?: AdmissionPolicy;
  request?: RequestFacts;
  openRequests?: ReadonlySet<string>;
  /** EUI-64s of those who may sign Smart Energy images. */
  zseSigners?: readonly string[];
}

/** What the documents of each kind are read to. */
export interface Readings {
  image: ReturnType<typeof gatherImageFacts>['facts'];
  products: CentralProductsList;
  eligible: EligibleCombinations;
  pending: PendingCombinations;
  installations: Installations;
  floors: VersionFloors;
  waiver: DowngradeWaiver;
  anchors: LoadedAnchors;
  certificate: Certificate;
  crl: RevocationList;
}

export type Readers = {
  [K in Exclude<Kind, 'image'>]: (bytes: Uint8Array, stamp: ListOptions) => Readings[K];
} & {
  image: (bytes: Uint8Array, options: ImageFactsOptions) => Readings['image'];
};

/** A document that no reader takes: nothing is decided, and nothing is sent. */
export class Unread extends Error {}

export const READERS: Readers = {
  image: (bytes, options) => gatherImageFacts(bytes, options).facts,
  products: list(readCentralProductsList),
  eligible: list(readEligibleCombinations),
  pending: list(readPendingCombinations),
  installations: list(readInstallations),
  floors: (bytes) => taken(parseVersionFloors(jsonOf(bytes))).floors,
  waiver: (bytes) => taken(parseWaiver(jsonOf(bytes))).waiver,
  anchors: (bytes) => throughFile(bytes, loadTrust),
  certificate: (bytes) => taken(parseCertificate(bytes)),
  crl: (bytes) => taken(parseRevocationList(bytes)),
};

/** Decides on documents that differ from one another in little: what was read once is kept. */
export class Desk {
  private readonly scene: Scene;
  private readonly readers: Readers;
  private readonly kept = new WeakMap<Uint8Array, unknown>();

  constructor(scene: Scene, readers: Readers = READERS) {
    this.scene = scene;
    this.readers = readers;
  }

  /** `unread` where a document is not taken, or the installation is not among those that are. */
  decide(documents: Documents): Decision | 'unread' {
    try {
      return this.judge(documents);
    } catch (error) {
      if (error instanceof Unread) return 'unread';
      throw error;
    }
  }

  private judge(documents: Documents): Decision {
    const { scene } = this;
    const one = <K extends Exclude<Kind, 'image'>>(kind: K) => this.all(documents, kind)[0];
    const anchors = one('anchors');
    const certificates = this.all(documents, 'certificate');
    const crls = this.all(documents, 'crl');
    const installations = one('installations');
    const waiver = one('waiver');
    const context: AdmissionContext = {
      intake: scene.intake,
      installation: installations && chosen(installations),
      eligible: one('eligible'),
      pending: one('pending'),
      floors: one('floors'),
      request: scene.request,
      openRequests: scene.openRequests,
      waiver: waiver && { waiver, keys: waiverKeysOf(anchors?.anchors ?? []) },
    };
    const image = this.image(documents, {
      profile: scene.profile,
      trust: anchors && {
        ...anchors,
        certificates,
        ...(crls.length > 0 ? { crls } : {}),
        ...(scene.zseSigners ? { zseSigners: scene.zseSigners } : {}),
      },
    });
    const { device, policy, nowMs } = scene;
    return decideAdmission({ image, device, policy, list: one('products'), context }, nowMs);
  }

  private all<K extends Exclude<Kind, 'image'>>(documents: Documents, kind: K): Readings[K][] {
    const stamp = { stamp: { fetchedAtMs: this.scene.fetchedAtMs, source: 'the test' } };
    const names = (Object.keys(documents) as DocumentName[]).filter(
      (name) => name === kind || name.startsWith(`${kind}.`),
    );
    const read = this.readers[kind] as (bytes: Uint8Array, stamp: ListOptions) => Readings[K];
    return names.map((name) => this.keep(documents[name]!, () => read(documents[name]!, stamp)));
  }

  /** What an image comes to hangs on who may sign, too: it is kept only beside the same documents. */
  private image(documents: Documents, options: ImageFactsOptions): Readings['image'] {
    const signers = (Object.keys(documents) as DocumentName[]).filter((name) =>
      /^(certificate|crl|anchors)/.test(name),
    );
    const image = documents.image!;
    if (signers.length > 0) return this.readers.image(image, options);
    return this.keep(image, () => this.readers.image(image, options));
  }

  private keep<T>(bytes: Uint8Array, read: () => T): T {
    const found = this.kept.get(bytes);
    if (found !== undefined) return found as T;
    const made = read();
    this.kept.set(bytes, made);
    return made;
  }
}

function chosen({ entries }: Installations): Installation {
  const found = entries.find(({ installationId }) => installationId === 'HOME-1');
  if (!found) throw new Unread('installation');
  return found;
}

function list<L>(
  read: (table: Table, options: ListOptions) => { ok: true; list: L } | { ok: false },
): (bytes: Uint8Array, options: ListOptions) => L {
  return (bytes, options) => taken(read(taken(parseTable(bytes)).table, options)).list;
}

function taken<T extends { ok: boolean }>(result: T): Extract<T, { ok: true }> {
  if (!result.ok) throw new Unread();
  return result as Extract<T, { ok: true }>;
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Unread('json');
  }
}

let scratch: string | undefined;

/** Anchors have a reader that takes a path: part of it is at the edge of the program. */
function throughFile<T>(bytes: Uint8Array, load: (path: string) => T): T {
  if (scratch === undefined) {
    const folder = mkdtempSync(join(tmpdir(), 'uplift-flips-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    scratch = join(folder, 'document.json');
  }
  writeFileSync(scratch, bytes);
  try {
    return load(scratch);
  } catch (error) {
    if (error instanceof UpliftError) throw new Unread(error.code);
    throw error;
  }
}
