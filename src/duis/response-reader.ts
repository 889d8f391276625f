/**
 * What a response says to who sent the request (DUIS schemas 5.0a to 5.4): its code, what it answers, and
 * the devices for which nothing is done. What a device itself answered is not read here.
 */
import { type KnownSigners, SignedXmlReader, type XmlSigner } from '../trust/xml-signature.ts';
import type { SignedXmlFault } from '../trust/xml-signature-profile.ts';
import { parseXml, type XmlElement, type XmlLimits, XmlTree } from '../xml/strict-xml.ts';
import { WARNING_LISTS, type WarningList } from './response.ts';
import {
  collapse,
  DEVICE_LIST_CHARACTERS_MAX,
  readDeviceIds,
  readRequestId,
  SERVICE_NAMESPACE,
} from './schema-values.ts';
import type { RequestId } from './service-request.ts';

/** Of which a warning of 50,000 devices is a tenth. */
export const RESPONSE_BYTES_MAX = 16 * 1024 * 1024;

export const RESPONSE_FAULTS = {
  'response-other-root': 'The document is no Response of the DCC User Interface.',
  'response-no-code': 'The response has no response code.',
  'response-id-invalid': 'A RequestID is not two EUI-64 and a counter below 2^64, by colons.',
  'device-list-invalid': 'The list is not EUI-64 with a comma between each two, and nothing else.',
} as const;

export interface ResponseFault extends Omit<SignedXmlFault, 'code'> {
  code: keyof typeof RESPONSE_FAULTS | SignedXmlFault['code'];
}

export interface ResponseSummary {
  responseCode: string;
  /** As written. */
  respondedAt: string | undefined;
  /** Absent in an alert. */
  requestId: RequestId | undefined;
  /** The element of the body, without prefix; of a message the one in it that says most. */
  content: string;
  serviceReference: string | undefined;
  /** 16 lower-case digits each. */
  lists: Partial<Record<WarningList, readonly string[]>>;
}

/** Nobody vouches for what it says. */
export function readUnverifiedResponse(
  bytes: Uint8Array,
): { ok: true; unverified: ResponseSummary } | ResponseFault {
  const parsed = parseXml(bytes, { limits: LIMITS });
  if (!parsed.ok) return parsed;
  const read = summaryOf(parsed.root);
  return 'ok' in read ? read : { ok: true, unverified: read };
}

/** Whose signature is good; whether that is who should have answered, the caller knows. */
export function readServiceResponse(
  bytes: Uint8Array,
  signers: KnownSigners,
): { ok: true; response: ResponseSummary; signer: XmlSigner } | ResponseFault {
  const tree = new XmlTree();
  const reader = new SignedXmlReader(tree, { limits: LIMITS, signedInside: SIGNED_INSIDE });
  const verified = reader.push(bytes) ?? reader.end(signers);
  if (!verified.ok) return verified;
  const read = summaryOf(tree.root!);
  return 'ok' in read ? read : { ok: true, response: read, signer: verified.signer };
}

const LIMITS: Partial<XmlLimits> = {
  bytesMax: RESPONSE_BYTES_MAX,
  elementsMax: 4_096,
  textCharactersMax: Math.max(DEVICE_LIST_CHARACTERS_MAX, 4 * 1024 * 1024),
};

/** Documents of their own within a response. */
const SIGNED_INSIDE = ['SMETS1SignedResponse', 'S1SPAlert'].map((name) => ({
  namespace: SERVICE_NAMESPACE,
  name,
}));

function summaryOf(root: XmlElement): ResponseSummary | ResponseFault {
  if (root.name !== 'Response' || root.namespace !== SERVICE_NAMESPACE) {
    return faultAt('response-other-root', root);
  }
  const header = childOf(root, 'Header');
  const code = textOf(header, 'ResponseCode');
  if (!header || !code) return faultAt('response-no-code', header ?? root);
  const id = childOf(header, 'RequestID');
  const requestId = id && readRequestId(id.text);
  if (id && !requestId) return faultAt('response-id-invalid', id);
  const [message] = childOf(root, 'Body')?.children ?? [];
  const inner = message?.children.find(({ name }) => !name.startsWith('ServiceReference'));
  const lists = inner ? listsOf(inner) : {};
  if ('ok' in lists) return lists as ResponseFault;
  return {
    responseCode: code,
    respondedAt: textOf(header, 'ResponseDateTime'),
    requestId,
    content: (inner ?? message)?.name ?? 'nothing',
    serviceReference: textOf(message, 'ServiceReference'),
    lists,
  };
}

function listsOf(warning: XmlElement): ResponseSummary['lists'] | ResponseFault {
  const lists: ResponseSummary['lists'] = {};
  for (const name of WARNING_LISTS) {
    const list = childOf(warning, name);
    if (!list) continue;
    const ids = list.text.length <= DEVICE_LIST_CHARACTERS_MAX && readDeviceIds(list.text);
    if (!ids) return faultAt('device-list-invalid', list);
    lists[name] = ids;
  }
  return lists;
}

function childOf(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find(
    (child) => child.name === name && child.namespace === SERVICE_NAMESPACE,
  );
}

function textOf(element: XmlElement | undefined, name: string): string | undefined {
  const text = childOf(element, name)?.text;
  return text === undefined ? undefined : collapse(text);
}

function faultAt(
  code: keyof typeof RESPONSE_FAULTS,
  { line, column, name: element }: XmlElement,
): ResponseFault {
  return { ok: false, code, message: RESPONSE_FAULTS[code], line, column, element };
}
