/**
 * The Direct Device Integration API of Eclipse hawkBit, version 1, as far as a gateway uses it: what is read
 * and what is sent. Fields that are not known are passed over, as DDI adds some; lengths are ours.
 *
 * A report that is `rejected` leaves an action open for ever (hawkBit takes it for a warning), so nothing
 * but `closed` ends one here.
 */
import { text, whole, z } from '../../config/fields.ts';
import { sha256 } from '../wire.ts';
import { HAWKBIT_CODES, type Outcome } from './codes.ts';

export const DDI_LIMITS = {
  jsonBytesMax: 4 * 1024 * 1024,
  /** hawkBit keeps no more of one. */
  detailCharactersMax: 512,
  detailsMax: 16,
  /** Reports of one action that are no end: hawkBit takes 1,000 by default, its own notes included. */
  reportsMax: 300,
  attributeCharactersMax: 128,
  attributesMax: 100,
} as const;

const href = z.object({ href: text(1, 2048) });
const actionId = z.union([text(1, 20), whole(0, Number.MAX_SAFE_INTEGER)]).transform(String);

const links = z.object({
  deploymentBase: href.optional(),
  cancelAction: href.optional(),
  confirmationBase: href.optional(),
  configData: href.optional(),
});

const baseDocument = z.object({
  config: z.object({ polling: z.object({ sleep: text(1, 32) }) }).optional(),
  _links: links.optional(),
});

const artifactDocument = z.object({
  filename: text(1, 512),
  hashes: z.object({ sha256: sha256.optional() }).optional(),
  size: whole(0, Number.MAX_SAFE_INTEGER).optional(),
  _links: z.object({ download: href.optional(), 'download-http': href.optional() }).optional(),
});

const handling = z.enum(['skip', 'attempt', 'forced']);

const deploymentDocument = z.object({
  download: handling.optional(),
  update: handling.optional(),
  maintenanceWindow: z.enum(['available', 'unavailable']).nullish(),
  chunks: z.array(z.object({ artifacts: z.array(artifactDocument).max(1024).nullish() })).max(256),
});

const deploymentBase = z.object({ id: actionId, deployment: deploymentDocument });
const confirmationBase = z.object({ id: actionId, confirmation: deploymentDocument });
const cancelAction = z.object({ id: actionId, cancelAction: z.object({ stopId: actionId }) });

export type DdiArtifact = z.infer<typeof artifactDocument>;
export type Deployment = z.infer<typeof deploymentDocument>;

/** What the server wants next: one action at the most. */
export interface DdiBase {
  pollMs: number | undefined;
  wantsAttributes: boolean;
  action: { kind: 'deployment' | 'confirmation' | 'cancel'; id: string; query: string } | undefined;
}

const KINDS = [
  ['confirmationBase', 'confirmation'],
  ['cancelAction', 'cancel'],
  ['deploymentBase', 'deployment'],
] as const;

/**
 * Of a link the action and the query alone: wherever a proxy says the server is, it is asked where it was
 * configured to be, and no credential goes elsewhere.
 */
export function readBase(document: unknown): DdiBase | undefined {
  const parsed = baseDocument.safeParse(document);
  if (!parsed.success) return undefined;
  const { config, _links: found = {} } = parsed.data;
  let action: DdiBase['action'];
  for (const [relation, kind] of KINDS) {
    const path = found[relation]?.href;
    const match = new RegExp(`/${relation}/([0-9]{1,19})(\\?[\\w=&.-]*)?$`).exec(path ?? '');
    if (match) action ??= { kind, id: match[1]!, query: match[2] ?? '' };
  }
  return {
    pollMs: sleepMs(config?.polling.sleep),
    wantsAttributes: found.configData !== undefined,
    action,
  };
}

/** `HH:MM:SS`. */
function sleepMs(written: string | undefined): number | undefined {
  const match = /^([0-9]{1,3}):([0-9]{2}):([0-9]{2})$/.exec(written ?? '');
  if (!match) return undefined;
  const [hours, minutes, seconds] = match.slice(1).map(Number) as [number, number, number];
  return 1000 * (seconds + 60 * (minutes + 60 * hours));
}

export function readDeployment(document: unknown): Deployment | undefined {
  const parsed = deploymentBase.safeParse(document);
  return parsed.success ? parsed.data.deployment : undefined;
}

export function readConfirmation(document: unknown): Deployment | undefined {
  const parsed = confirmationBase.safeParse(document);
  return parsed.success ? parsed.data.confirmation : undefined;
}

/** Which action is to be stopped. */
export function readCancel(document: unknown): string | undefined {
  const parsed = cancelAction.safeParse(document);
  return parsed.success ? parsed.data.cancelAction.stopId : undefined;
}

export type Execution =
  | 'closed'
  | 'proceeding'
  | 'scheduled'
  | 'rejected'
  | 'resumed'
  | 'download'
  | 'downloaded';

export interface Report {
  execution: Execution;
  finished: 'success' | 'failure' | 'none';
  progress?: { cnt: number; of: number };
  code?: number;
  details: readonly string[];
}

/** `id` and `time` are for servers before 0.3, which want them. */
export function feedbackBody(id: string, report: Report, nowMs: number): unknown {
  const { execution, finished, progress, code, details } = report;
  return {
    id,
    time: new Date(nowMs).toISOString().replace(/[-:]/g, '').slice(0, 15),
    timestamp: nowMs,
    status: {
      execution,
      result: { finished, ...(progress ? { progress } : {}) },
      ...(code === undefined ? {} : { code }),
      details: detailsOf(details),
    },
  };
}

export function closing({ finished, code, details }: Outcome): Report {
  const number = code === undefined ? undefined : HAWKBIT_CODES[code].number;
  return {
    execution: 'closed',
    finished,
    ...(number === undefined ? {} : { code: number }),
    details,
  };
}

export function confirmationBody(denied: Outcome | undefined): unknown {
  if (!denied)
    return { confirmation: 'confirmed', details: ['the campaign is signed as it has to be'] };
  const { code, details } = denied;
  const number = code === undefined ? {} : { code: HAWKBIT_CODES[code].number };
  return { confirmation: 'denied', ...number, details: detailsOf(details) };
}

/** `replace`: a device that is gone is gone there too. */
export function attributesBody(attributes: Readonly<Record<string, string>>): unknown {
  const { attributeCharactersMax: most, attributesMax } = DDI_LIMITS;
  const data = Object.fromEntries(
    Object.entries(attributes)
      .slice(0, attributesMax)
      .map(([name, value]) => [name.slice(0, most), value.slice(0, most)]),
  );
  return { mode: 'replace', data };
}

function detailsOf(details: readonly string[]): string[] {
  const { detailsMax, detailCharactersMax } = DDI_LIMITS;
  return details.slice(0, detailsMax).map((detail) => detail.slice(0, detailCharactersMax));
}
