/**
 * What is around an upgrade, read from files once: lists, installations, floors, a waiver, and whom to
 * trust. The same for a command and for the service, whoever names the files.
 */
import type { AdmissionContext, Intake, RequestFacts } from '../admission/context.ts';
import type { ImageTrust } from '../admission/signer.ts';
import { type ListColumns, loadListColumns } from '../config/lists.ts';
import { momentMs } from '../config/moment.ts';
import type { Rig, RigDevice } from '../config/schema.ts';
import { UpliftError } from '../errors.ts';
import type { Installation } from '../products/installations.ts';
import type { ListStamp } from '../products/list-age.ts';
import { waiverKeysOf } from '../trust/downgrade-waiver.ts';
import {
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from './list-library.ts';
import {
  loadCertificates,
  loadRevocationLists,
  loadVersionFloors,
  loadWaiver,
} from './trust-documents.ts';
import { loadTrust } from './trust-folder.ts';

/** Paths, and what else is told. */
export interface SurroundingsOptions {
  intake?: Intake | undefined;
  /** The folder or the document of trust anchors. */
  trust?: string | undefined;
  certificates?: readonly string[] | undefined;
  revocationLists?: readonly string[] | undefined;
  /** EUI-64s, 16 lower-case digits. */
  zseSigners?: readonly string[] | undefined;
  eligibleCombinations?: string | undefined;
  pendingCombinations?: string | undefined;
  /** How their columns are called, or the file that says so. */
  columns?: string | ListColumns | undefined;
  installations?: string | undefined;
  /** Of every device, before its own and the rig's. */
  installationId?: string | undefined;
  floors?: string | undefined;
  waiver?: string | undefined;
  request?: RequestFacts | undefined;
  openRequests?: ReadonlySet<string> | undefined;
  /** When the lists were fetched. */
  stamp?: ListStamp | undefined;
}

export interface Surroundings {
  /** What signatures of images are held against. */
  trust: ImageTrust | undefined;
  stamp: ListStamp | undefined;
  /** Of a device of the rig; of one that is only spoken of without it. */
  contextFor(device?: RigDevice): AdmissionContext;
}

/** What a site says, above it what its rig says, above that what is told now. @throws UpliftError */
export function surroundingsOf(
  told: SurroundingsOptions,
  rig?: Rig,
  site: SurroundingsOptions = {},
): Surroundings {
  const options: SurroundingsOptions = {
    ...definedOf(site),
    ...fromRig(rig),
    ...definedOf(told),
  };
  const { columns: named = {} } = options;
  const columns = typeof named === 'string' ? loadListColumns(named) : named;
  const { stamp } = options;
  const trust = trustOf(options);
  const { request, openRequests, floors, waiver } = options;
  const shared: AdmissionContext = {
    intake: options.intake ?? (options.installations === undefined ? 'bench' : 'field'),
    ...listsOf(options, columns, stamp),
    ...(request ? { request } : {}),
    ...(openRequests ? { openRequests } : {}),
    ...(floors === undefined ? {} : { floors: loadVersionFloors(floors) }),
    ...(waiver === undefined
      ? {}
      : { waiver: { waiver: loadWaiver(waiver), keys: waiverKeysOf(trust?.anchors ?? []) } }),
  };
  const installationFor = installationsOf(told.installationId, options, columns);
  return {
    trust,
    stamp,
    contextFor: (device) => {
      const installation = installationFor?.(device);
      return installation ? { ...shared, installation } : shared;
    },
  };
}

/** A field rig says once what each command would have to repeat. */
function fromRig(rig: Rig | undefined): SurroundingsOptions {
  if (!rig) return {};
  const { trustAnchors, admission } = rig;
  const { listsFetched, ...documents } = admission ?? {};
  const stamp =
    listsFetched === undefined
      ? undefined
      : { fetchedAtMs: momentMs(listsFetched)!, source: 'the rig' };
  return definedOf({ trust: trustAnchors, stamp, ...documents });
}

function definedOf(options: SurroundingsOptions): SurroundingsOptions {
  const told = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(told) as SurroundingsOptions;
}

function trustOf(options: SurroundingsOptions): ImageTrust | undefined {
  const { trust, certificates, revocationLists, zseSigners } = options;
  if ((trust ?? certificates ?? revocationLists ?? zseSigners) === undefined) return undefined;
  const { anchors, zseCas } = trust === undefined ? NO_ANCHORS : loadTrust(trust);
  return {
    anchors,
    zseCas,
    ...(certificates ? { certificates: loadCertificates(certificates) } : {}),
    ...(revocationLists ? { crls: loadRevocationLists(revocationLists) } : {}),
    ...(zseSigners ? { zseSigners } : {}),
  };
}

const NO_ANCHORS = { anchors: [], zseCas: [] };

function listsOf(
  { eligibleCombinations, pendingCombinations }: SurroundingsOptions,
  columns: ListColumns,
  stamp: ListStamp | undefined,
): Pick<AdmissionContext, 'eligible' | 'pending'> {
  const eligible = { mapping: columns.eligibleCombinations, stamp };
  const pending = { mapping: columns.pendingCombinations, stamp };
  return {
    ...(eligibleCombinations === undefined
      ? {}
      : { eligible: loadEligibleCombinations(eligibleCombinations, eligible) }),
    ...(pendingCombinations === undefined
      ? {}
      : { pending: loadPendingCombinations(pendingCombinations, pending) }),
  };
}

/**
 * Which installation a device is part of: the one that is told for all, else the device's own in the rig,
 * else the rig's, else the only one of the file.
 */
function installationsOf(
  toldId: string | undefined,
  { installations: path, installationId }: SurroundingsOptions,
  columns: ListColumns,
): ((device: RigDevice | undefined) => Installation) | undefined {
  if (path === undefined) {
    if (installationId === undefined) return undefined;
    throw wrong('the file of installations (--installation)', 'none');
  }
  const { entries } = loadInstallations(path, { mapping: columns.installations });
  const byId = new Map(entries.map((entry) => [entry.installationId, entry]));
  return (device) => {
    const id = toldId ?? device?.installation ?? installationId;
    const isOnly = id === undefined && entries.length === 1;
    const found = isOnly ? entries[0] : byId.get(id!);
    if (found) return found;
    const ids = entries.map((entry) => entry.installationId).slice(0, 12);
    const subject = device === undefined ? '' : ` for ${device.id}`;
    throw wrong(`one of ${ids.join(', ')}${subject}, here or in the rig`, id ?? 'none named');
  };
}

function wrong(expected: string, actual: string): UpliftError {
  return new UpliftError('option-invalid', 'the installation (--installation-id) is not clear', {
    expected,
    actual,
    next: 'name the installation, here or in the rig',
  });
}
