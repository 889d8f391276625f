/**
 * What is around an upgrade, from the command line or else from the rig: lists, the installation, the
 * request, and whom to trust. The same for every command that decides.
 */
import {
  type AdmissionContext,
  INTAKES,
  type Intake,
  type RequestFacts,
} from '../admission/context.ts';
import type { ImageTrust } from '../admission/signer.ts';
import { parseEui64 } from '../bytes/hex.ts';
import { type ListColumns, loadListColumns } from '../config/lists.ts';
import type { Rig, RigAdmission, RigDevice } from '../config/schema.ts';
import {
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from '../gateway/list-library.ts';
import {
  loadCertificates,
  loadRevocationLists,
  loadVersionFloors,
  loadWaiver,
} from '../gateway/trust-documents.ts';
import { loadTrust } from '../gateway/trust-folder.ts';
import type { Installation } from '../products/installations.ts';
import type { ListStamp } from '../products/list-age.ts';
import { waiverKeysOf } from '../trust/downgrade-waiver.ts';
import { momentOf, usage } from './inputs.ts';

export interface ContextOptions {
  trust?: string;
  intake?: string;
  epcl?: string;
  ppct?: string;
  columns?: string;
  installation?: string;
  installationId?: string;
  requestType?: string;
  duisVersion?: string;
  role?: string;
  party?: string;
  openRequest?: string[] | boolean;
  floors?: string;
  waiver?: string;
  certificate?: string[];
  crl?: string[];
  zseSigner?: string[];
  fetched?: string;
}

export interface Surroundings {
  /** What signatures of images are held against. */
  trust: ImageTrust | undefined;
  /** When the lists were fetched. */
  stamp: ListStamp | undefined;
  /** Of a device of the rig; of one that is only spoken of without it. */
  contextFor(device?: RigDevice): AdmissionContext;
}

/** Files are read once, and what is wrong with one is said before any device is decided on. */
export function surroundingsOf(given: ContextOptions, rig?: Rig): Surroundings {
  const options = { ...fromRig(rig), ...definedOf(given) };
  const columns = options.columns === undefined ? {} : loadListColumns(options.columns);
  const stamp: ListStamp | undefined =
    options.fetched === undefined
      ? undefined
      : {
          fetchedAtMs: momentOf('--fetched', options.fetched),
          source: given.fetched === undefined ? 'the rig' : 'the command line',
        };
  const trust = trustOf(options);
  const shared: AdmissionContext = {
    intake: intakeOf(options),
    ...listsOf(options, columns, stamp),
    ...requestOf(options),
    ...(options.floors === undefined ? {} : { floors: loadVersionFloors(options.floors) }),
    ...(options.waiver === undefined
      ? {}
      : {
          waiver: {
            waiver: loadWaiver(options.waiver),
            keys: waiverKeysOf(trust?.anchors ?? []),
          },
        }),
  };
  const installationFor = installationsOf(given, options, columns);
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
function fromRig(rig: Rig | undefined): ContextOptions {
  if (!rig) return {};
  const { trustAnchors, admission } = rig;
  return definedOf({ trust: trustAnchors, ...optionsOf(admission) });
}

function optionsOf(admission: RigAdmission | undefined): ContextOptions {
  if (!admission) return {};
  return definedOf({
    intake: admission.intake,
    epcl: admission.eligibleCombinations,
    ppct: admission.pendingCombinations,
    columns: admission.columns,
    installation: admission.installations,
    installationId: admission.installationId,
    floors: admission.floors,
    waiver: admission.waiver,
    certificate: admission.certificates,
    crl: admission.revocationLists,
    zseSigner: admission.zseSigners,
    fetched: admission.listsFetched,
  });
}

function definedOf(options: { [K in keyof ContextOptions]: ContextOptions[K] | undefined }) {
  const told = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(told) as ContextOptions;
}

function trustOf({ trust, certificate, crl, zseSigner }: ContextOptions): ImageTrust | undefined {
  if ((trust ?? certificate ?? crl ?? zseSigner) === undefined) return undefined;
  const { anchors, zseCas } = trust === undefined ? NO_ANCHORS : loadTrust(trust);
  return {
    anchors,
    zseCas,
    ...(certificate ? { certificates: loadCertificates(certificate) } : {}),
    ...(crl ? { crls: loadRevocationLists(crl) } : {}),
    ...(zseSigner ? { zseSigners: zseSigner.map((text) => eui64Of('--zse-signer', text)) } : {}),
  };
}

const NO_ANCHORS = { anchors: [], zseCas: [] };

/** What is named says where the question comes from; `--intake` says so outright. */
function intakeOf(options: ContextOptions): Intake {
  const { intake } = options;
  if (intake !== undefined) {
    const found = INTAKES.find((one) => one === intake);
    if (found) return found;
    throw usage('--intake', INTAKES.join(', '), intake);
  }
  if (options.requestType ?? options.duisVersion ?? options.role) return 'service-request';
  return options.installation === undefined ? 'bench' : 'field';
}

function listsOf(
  { epcl, ppct }: ContextOptions,
  { eligibleCombinations, pendingCombinations }: ListColumns,
  stamp: ListStamp | undefined,
): Pick<AdmissionContext, 'eligible' | 'pending'> {
  const eligible = { mapping: eligibleCombinations, stamp };
  const pending = { mapping: pendingCombinations, stamp };
  return {
    ...(epcl === undefined ? {} : { eligible: loadEligibleCombinations(epcl, eligible) }),
    ...(ppct === undefined ? {} : { pending: loadPendingCombinations(ppct, pending) }),
  };
}

/**
 * Which installation a device is part of: the one that the command line names, else the device's own
 * in the rig, else the rig's, else the only one of the file.
 */
function installationsOf(
  given: ContextOptions,
  { installation: path, installationId }: ContextOptions,
  columns: ListColumns,
): ((device: RigDevice | undefined) => Installation) | undefined {
  if (path === undefined) {
    if (installationId === undefined) return undefined;
    throw usage('--installation-id', 'the file of installations (--installation)', 'none');
  }
  const { entries } = loadInstallations(path, { mapping: columns.installations });
  return (device) => {
    const id = given.installationId ?? device?.installation ?? installationId;
    const found =
      id === undefined && entries.length === 1
        ? entries[0]
        : entries.find((entry) => entry.installationId === id);
    if (found) return found;
    const ids = entries.map((entry) => entry.installationId).slice(0, 12);
    const subject = device === undefined ? '' : ` for ${device.id}`;
    const expected = `one of ${ids.join(', ')}${subject}, here or in the rig`;
    throw usage('--installation-id', expected, id ?? 'none named');
  };
}

function requestOf(options: ContextOptions): Pick<AdmissionContext, 'request' | 'openRequests'> {
  const { requestType, duisVersion, role, party, openRequest } = options;
  const request: RequestFacts = { requestType, duisVersion, role, party };
  const isNamed = Object.values(request).some((value) => value !== undefined);
  const open = Array.isArray(openRequest)
    ? openRequest.map((text) => eui64Of('--open-request', text))
    : [];
  return {
    ...(isNamed ? { request } : {}),
    ...(openRequest === undefined ? {} : { openRequests: new Set(open) }),
  };
}

function eui64Of(option: string, text: string): string {
  const eui64 = parseEui64(text);
  if (eui64 !== undefined) return eui64;
  throw usage(option, 'an EUI-64: 16 hexadecimal digits, colons allowed', text);
}
