/**
 * What a gateway says of campaigns where nobody connects it: a stretch of its journal as `EventBatch` has
 * it, sealed as COSE_Sign1 with the key of the certificate that the gateway enrolled with. Whoever
 * carries it can lose or delay it, not change it or make one up.
 *
 * The certificate goes along and is believed no further than a TLS client certificate is: the seal is its,
 * and the coordinator looks up whose it is by its SHA-256. From there on the stretch is one as any other,
 * which is taken once and in order, however often it is brought.
 */
import { z } from '../../config/fields.ts';
import { type CoseRefusal, type CoseSigner, decodeCose, signAlone } from '../../trust/cose.ts';
import { verifyP256 } from '../../trust/ecdsa.ts';
import { parseCertificate } from '../../trust/x509.ts';
import type { GatewayDesk } from '../coordinator/control.ts';
import { type EventBatch, type EventsTaken, eventBatch, WIRE_LIMITS, wireName } from '../wire.ts';
import { type BundleRefusal, refuseBundle } from './codes.ts';

export const EVENTS_CONTENT_TYPE = 'application/vnd.uplift.events+json';
/** Below the root of the people's doors, where a coordinator takes them (POST). */
export const CARRIED_EVENTS_PATH = '/carried-events';
export const CARRIED_EVENTS_MEDIA_TYPE = 'application/cose';
/** The stretch, its certificate, and what is around them. */
export const SEALED_BYTES_MAX = WIRE_LIMITS.eventsBytesMax + 64 * 1024;

const carriedEvents = z.strictObject({
  version: z.literal(1),
  fleet: wireName,
  gateway: wireName,
  batch: eventBatch,
});

export interface CarriedEvents {
  fleet: string;
  gateway: string;
  batch: EventBatch;
}

export interface OpenedEvents extends CarriedEvents {
  ok: true;
  /** SHA-256 of the certificate in DER: who is said to be `gateway` has to have enrolled with it. */
  certificate: string;
}

/** @param signer of whose chain the gateway's own certificate alone goes along */
export function sealEvents(
  { fleet, gateway, batch }: CarriedEvents,
  signer: CoseSigner,
): Uint8Array {
  const content = JSON.stringify({ version: 1, fleet, gateway, batch });
  const { privateKey, certificates } = signer;
  const own = { privateKey, certificates: [certificates[0]] } as const;
  return signAlone(new TextEncoder().encode(content), EVENTS_CONTENT_TYPE, own);
}

/** The seal is good; whose it is, is for the caller to find out. */
export function openEvents(bytes: Uint8Array): OpenedEvents | CoseRefusal | BundleRefusal {
  if (bytes.length > SEALED_BYTES_MAX) return refuseBundle('events-large');
  const document = decodeCose(bytes, EVENTS_CONTENT_TYPE, { kind: 'sign1' });
  if (!document.ok) return document;
  const { payload, signatures } = document;
  const [{ keyId, signed, value, chain }] = signatures as [(typeof signatures)[number]];
  const [der, ...others] = chain;
  const certificate = der && others.length === 0 ? parseCertificate(der) : undefined;
  if (!certificate?.ok || certificate.fingerprint !== keyId) return refuseBundle('events-signer');
  if (!verifyP256(certificate.publicKey, signed, value)) return refuseBundle('events-other-bytes');
  const parsed = carriedEvents.safeParse(jsonIn(payload));
  if (!parsed.success) return refuseBundle('events-form', whereIn(parsed.error));
  const { fleet, gateway, batch } = parsed.data;
  return { ok: true, fleet, gateway, batch, certificate: keyId };
}

export type TakenEvents =
  | { ok: true; gateway: string; taken: EventsTaken }
  | CoseRefusal
  | BundleRefusal;

export interface CarriedEventsDesk extends Pick<GatewayDesk, 'fleet' | 'identify'> {
  /** What of it is new there. */
  takeSealed(gateway: string, batch: EventBatch): Promise<EventsTaken>;
}

/** What a coordinator does with one. @throws UpliftError of `takeSealed` */
export async function takeCarriedEvents(
  desk: CarriedEventsDesk,
  bytes: Uint8Array,
): Promise<TakenEvents> {
  const opened = openEvents(bytes);
  if (!opened.ok) return opened;
  const { fleet, gateway, batch, certificate } = opened;
  if (fleet !== desk.fleet) return refuseBundle('events-other-fleet', fleet);
  const known = await desk.identify(certificate);
  if (known !== gateway) return refuseBundle('events-other-gateway', gateway);
  return { ok: true, gateway, taken: await desk.takeSealed(gateway, batch) };
}

function jsonIn(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return undefined;
  }
}

function whereIn({ issues }: z.ZodError): string {
  const [first] = issues;
  return first ? `${first.path.map(String).join('.') || 'content'}: ${first.message}` : '';
}
