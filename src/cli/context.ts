/** The options of `verify` that say what is around an upgrade, turned into an admission context. */
import {
  type AdmissionContext,
  INTAKES,
  type Intake,
  type RequestFacts,
} from '../admission/context.ts';
import type { SigningParties } from '../admission/signer.ts';
import { loadListColumns } from '../config/lists.ts';
import {
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from '../gateway/list-library.ts';
import {
  loadCertificates,
  loadPinnedAnchors,
  loadRevocationLists,
  loadVersionFloors,
  loadWaiver,
  partiesOf,
} from '../gateway/trust-documents.ts';
import type { ColumnMapping } from '../products/columns.ts';
import type { Installation } from '../products/installations.ts';
import type { ListStamp } from '../products/list-age.ts';
import { momentOf, usage } from './inputs.ts';

export interface ContextOptions {
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
  anchors?: string;
  certificate?: string[];
  crl?: string[];
  fetched?: string;
}

export interface LoadedContext {
  context: AdmissionContext;
  parties: SigningParties | undefined;
  stamp: ListStamp | undefined;
}

export function contextOf(options: ContextOptions): LoadedContext {
  const columns = options.columns === undefined ? {} : loadListColumns(options.columns);
  const stamp: ListStamp | undefined =
    options.fetched === undefined
      ? undefined
      : { fetchedAtMs: momentOf('--fetched', options.fetched), source: 'the command line' };
  const { epcl, ppct, floors } = options;
  const pinned = options.anchors === undefined ? undefined : loadPinnedAnchors(options.anchors);
  const context: AdmissionContext = {
    intake: intakeOf(options),
    ...(options.installation === undefined
      ? {}
      : { installation: installationOf(options, options.installation, columns.installations) }),
    ...(epcl === undefined
      ? {}
      : {
          eligible: loadEligibleCombinations(epcl, {
            mapping: columns.eligibleCombinations,
            stamp,
          }),
        }),
    ...(ppct === undefined
      ? {}
      : {
          pending: loadPendingCombinations(ppct, { mapping: columns.pendingCombinations, stamp }),
        }),
    ...requestOf(options),
    ...(floors === undefined ? {} : { floors: loadVersionFloors(floors) }),
    ...(options.waiver === undefined
      ? {}
      : { waiver: { waiver: loadWaiver(options.waiver), keys: pinned?.waiverKeys ?? [] } }),
  };
  const { certificate, crl } = options;
  const isAsked = certificate !== undefined || crl !== undefined || pinned !== undefined;
  const signers = pinned?.anchors.filter(({ purpose }) => purpose !== 'downgrade-waiver') ?? [];
  const parties =
    isAsked && (certificate !== undefined || crl !== undefined || signers.length > 0)
      ? partiesOf(
          signers,
          loadCertificates(certificate ?? []),
          crl === undefined ? undefined : loadRevocationLists(crl),
        )
      : undefined;
  return { context, parties, stamp };
}

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

function installationOf(
  { installationId }: ContextOptions,
  path: string,
  mapping: ColumnMapping | undefined,
): Installation {
  const { entries } = loadInstallations(path, { mapping });
  const found =
    installationId === undefined && entries.length === 1
      ? entries[0]
      : entries.find((entry) => entry.installationId === installationId);
  if (found) return found;
  const ids = entries.map((entry) => entry.installationId).slice(0, 12);
  throw usage('--installation-id', `one of ${ids.join(', ')}`, installationId ?? 'none named');
}

function requestOf(options: ContextOptions): Pick<AdmissionContext, 'request' | 'openRequests'> {
  const { requestType, duisVersion, role, party, openRequest } = options;
  const request: RequestFacts = { requestType, duisVersion, role, party };
  const isNamed = Object.values(request).some((value) => value !== undefined);
  const open = Array.isArray(openRequest)
    ? openRequest.map((eui64) => eui64.replaceAll(/[:-]/g, '').toLowerCase())
    : [];
  return {
    ...(isNamed ? { request } : {}),
    ...(openRequest === undefined ? {} : { openRequests: new Set(open) }),
  };
}
