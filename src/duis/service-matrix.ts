/**
 * The Service Requests that are done here, as data: which body, under which command variants, who
 * may ask, whom it is for, whether for later. A site may put other values in their place.
 */
import type { RequestBody } from './service-request.ts';

export interface ServiceRow {
  serviceReference: string;
  body: RequestBody['kind'];
  /**
   * 1 over the WAN, 2 for local delivery, 3 both, 4 to be transformed, 5 to 7 signed, 8 by the DCC.
   */
  commandVariants: readonly number[];
  critical: boolean;
  /** Of the Service User, any one of them. */
  roles: readonly string[];
  target: 'device' | 'broker';
  /** The first version of DUIS that has it; absent: every one. */
  fromDuis?: string;
  /** Who keeps it until its time, where it may be dated for later. */
  datedBy?: 'dcc' | 'device';
  /** Of each field that was not read as it stands here. */
  sources: Readonly<Record<'matrix' | 'target' | 'commandVariants' | 'fromDuis', string>>;
}

const MATRIX = 'request matrix of @smartdcc/duis-parser 0.6.0 (read)';
const BROKER = 'inferred from published samples';
const SUPPLIERS: readonly string[] = ['IS', 'GS'];

export const SERVICE_MATRIX: readonly ServiceRow[] = [
  {
    serviceReference: '11.1',
    body: 'UpdateFirmware',
    commandVariants: [8],
    critical: false,
    roles: SUPPLIERS,
    target: 'broker',
    sources: {
      matrix: MATRIX,
      target: BROKER,
      commandVariants: MATRIX,
      fromDuis: 'assumed: older than every version that was seen',
    },
  },
  {
    serviceReference: '11.2',
    body: 'ReadFirmwareVersion',
    // 2 and 3 hand a command over for local delivery, and a SMETS1 device takes none so.
    commandVariants: [1],
    critical: false,
    roles: ['IS', 'ES', 'GS', 'RSA', 'ED', 'GT', 'OU'],
    target: 'device',
    datedBy: 'dcc',
    sources: {
      matrix: MATRIX,
      target: BROKER,
      commandVariants: `${MATRIX} has 1, 2 and 3; no local delivery to SMETS1 devices is assumed`,
      fromDuis: 'assumed: older than every version that was seen',
    },
  },
  {
    serviceReference: '11.3',
    body: 'ActivateFirmware',
    // 4 asks for a Pre-Command in GBCS. A SMETS1 device takes none: here it is the command itself.
    commandVariants: [4],
    critical: true,
    roles: SUPPLIERS,
    target: 'device',
    datedBy: 'device',
    sources: {
      matrix: MATRIX,
      target: BROKER,
      commandVariants: `${MATRIX}; which ones a SMETS1 device takes was not found`,
      fromDuis: 'assumed: older than every version that was seen',
    },
  },
  {
    serviceReference: '11.3',
    body: 'SignedPreCommand',
    commandVariants: [5, 6, 7],
    critical: true,
    roles: SUPPLIERS,
    target: 'device',
    datedBy: 'device',
    sources: {
      matrix: MATRIX,
      target: BROKER,
      commandVariants: `${MATRIX}; which ones a SMETS1 device takes was not found`,
      fromDuis: 'assumed: older than every version that was seen',
    },
  },
  {
    serviceReference: '11.4',
    body: 'UpdatePPMIDFirmware',
    commandVariants: [8],
    critical: false,
    roles: SUPPLIERS,
    target: 'broker',
    fromDuis: '5.0',
    sources: {
      matrix: MATRIX,
      target: BROKER,
      commandVariants: MATRIX,
      fromDuis: 'DUIS schema 5.0a has it (read); that none before does is inferred from SECMP0007',
    },
  },
];

/** Bounds of a time for which something is dated. */
export const DATING = {
  /** By so much a time may lie in the past and still be meant as now: clocks differ. */
  pastToleranceMs: 60_000,
  futureMsMax: 30 * 24 * 3_600_000,
  source: 'assumed: seen in no source',
} as const;
