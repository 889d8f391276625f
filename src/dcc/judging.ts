/**
 * By what Service Requests are judged, out of what a gateway is configured with: the same where they are
 * taken, and where somebody only asks what would become of one.
 */
import type { RequestFacts } from '../admission/context.ts';
import { type Decision, decideAdmission } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import type { DuisConfig } from '../config/duis.ts';
import type { GatewayConfig } from '../config/gateway.ts';
import type { Refusal } from '../duis/refusals.ts';
import type { RequestSettings } from '../duis/request-check.ts';
import { canonicalVersion } from '../duis/schema-version.ts';
import { SERVICE_MATRIX } from '../duis/service-matrix.ts';
import type { FirmwareUpdate, ServiceRequest } from '../duis/service-request.ts';
import type { AdmissionDesk } from '../gateway/admission-desk.ts';
import { loadRevocationLists } from '../gateway/trust-documents.ts';
import { anchorsOf, type TrustedBy } from './service-users.ts';
import type { World } from './world.ts';

export const JOB_OPEN: Refusal = { origin: 'control', code: 'job-open' };

export function settingsOf({ broker, users }: DuisConfig): RequestSettings {
  return {
    brokers: [broker],
    users: new Map(users.map(({ eui64, roles }) => [eui64, roles])),
    // A Pre-Command is GBCS, which no SMETS1 device takes.
    matrix: SERVICE_MATRIX.filter(({ body }) => body !== 'SignedPreCommand'),
  };
}

/** Whom signatures of requests are traced to. @throws UpliftError */
export function trustedBy({ admission }: Pick<GatewayConfig, 'admission'>): TrustedBy {
  const { trustAnchors, revocationLists } = admission;
  return {
    anchors: anchorsOf(trustAnchors),
    crls: revocationLists.length > 0 ? loadRevocationLists(revocationLists) : undefined,
  };
}

/** Their ids, by their EUI-64. */
export function idsByEui(
  devices: Iterable<{ id: string; eui64?: string | undefined }>,
): ReadonlyMap<string, string> {
  return new Map(
    [...devices].flatMap(({ id, eui64 }) => (eui64 === undefined ? [] : [[eui64, id] as const])),
  );
}

export function briefsFrom(desk: AdmissionDesk): World['briefFor'] {
  return (image, device, facts) => ({
    brief: desk.brief(image, device, facts),
    device: desk.factsOf(device),
  });
}

/** What admission is told of an 11.1 or 11.4. */
export function factsOfRequest(
  { header, schemaVersion, body }: ServiceRequest,
  users: World['users'],
): RequestFacts {
  const { requestId, serviceReference } = header;
  const user = users.get(requestId.originator)!;
  const row = SERVICE_MATRIX.find((one) => one.serviceReference === serviceReference)!;
  return {
    requestType: serviceReference,
    duisVersion: canonicalVersion(schemaVersion)!,
    role: user.roles.find((role) => row.roles.includes(role)),
    ...(user.party === undefined ? {} : { party: user.party }),
    deviceCount: (body as FirmwareUpdate).deviceIds.length,
  };
}

/** @param id of a device that is known here */
export function decideFor(
  id: string,
  image: string,
  facts: RequestFacts,
  { briefFor, nowMs }: Pick<World, 'briefFor' | 'nowMs'>,
): { decision: Decision; on: AdmissionFacts } {
  const { brief, device } = briefFor(image, id, facts);
  const { list, policy, context } = brief;
  const on = { image: brief.image.facts, device, list, policy, context };
  return { decision: decideAdmission(on, nowMs), on };
}
