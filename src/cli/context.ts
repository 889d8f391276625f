/** The options that say what is around an upgrade, as they are written on the command line. */
import { INTAKES, type Intake, type RequestFacts } from '../admission/context.ts';
import { parseEui64 } from '../bytes/hex.ts';
import type { SurroundingsOptions } from '../gateway/surroundings.ts';
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

export function toldOf(options: ContextOptions): SurroundingsOptions {
  const { fetched, zseSigner, openRequest } = options;
  return {
    intake: intakeOf(options),
    trust: options.trust,
    certificates: options.certificate,
    revocationLists: options.crl,
    zseSigners: zseSigner?.map((text) => eui64Of('--zse-signer', text)),
    eligibleCombinations: options.epcl,
    pendingCombinations: options.ppct,
    columns: options.columns,
    installations: options.installation,
    installationId: options.installationId,
    floors: options.floors,
    waiver: options.waiver,
    request: requestOf(options),
    openRequests: openRequest === undefined ? undefined : openRequestsOf(openRequest),
    stamp:
      fetched === undefined
        ? undefined
        : { fetchedAtMs: momentOf('--fetched', fetched), source: 'the command line' },
  };
}

/** What is named says where the question comes from; `--intake` says so outright. */
function intakeOf(options: ContextOptions): Intake | undefined {
  const { intake } = options;
  if (intake !== undefined) {
    const found = INTAKES.find((one) => one === intake);
    if (found) return found;
    throw usage('--intake', INTAKES.join(', '), intake);
  }
  const isRequest = options.requestType ?? options.duisVersion ?? options.role;
  return isRequest === undefined ? undefined : 'service-request';
}

function requestOf(options: ContextOptions): RequestFacts | undefined {
  const { requestType, duisVersion, role, party } = options;
  const request: RequestFacts = { requestType, duisVersion, role, party };
  return Object.values(request).some((value) => value !== undefined) ? request : undefined;
}

function openRequestsOf(openRequest: string[] | boolean): ReadonlySet<string> {
  const open = Array.isArray(openRequest) ? openRequest : [];
  return new Set(open.map((text) => eui64Of('--open-request', text)));
}

function eui64Of(option: string, text: string): string {
  const eui64 = parseEui64(text);
  if (eui64 !== undefined) return eui64;
  throw usage(option, 'an EUI-64: 16 hexadecimal digits, colons allowed', text);
}
