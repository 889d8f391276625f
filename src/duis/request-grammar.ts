/**
 * sr:Request for firmware, element by element (DUIS schemas 5.0a to 5.4): what may stand where, in
 * which order, and where its value goes. Read by request-reader.ts.
 */
import { assert } from '../errors.ts';
import type { RequestCode } from './request-codes.ts';
import {
  DEVICE_LIST_CHARACTERS_MAX,
  readBoolean,
  readCommandVariant,
  readDateTime,
  readDeviceIds,
  readHash,
  readRequestId,
  readServiceReference,
} from './schema-values.ts';
import type { RequestBody, RequestHeader, ServiceRequest } from './service-request.ts';

/** Octets (schema). */
const IMAGE_BYTES_MAX = 10_240_000;
/** Ours; the schema has none. A GBCS command to activate firmware has some 300 octets. */
const PAYLOAD_BYTES_MAX = 16_384;
/** Of the texts that have no bound of their own: a RequestID has 68, and blanks. */
const TEXT_CHARACTERS_MAX = 256;
/** By which what was dated for later is called off. */
const CANCEL_YEAR = 3000;

export interface ElementRule {
  name: string;
  isOptional?: true;
  /** Of an element with children: these, in this order. */
  children?: readonly ElementRule[];
  /** Of an element with exactly one child: one of these. */
  oneOf?: readonly ElementRule[];
  text?: TextRule;
  base64?: Base64Rule;
}

export interface TextRule {
  charactersMax: number;
  tooLong: RequestCode;
  /** Puts the value where it goes, or says what is wrong with it. */
  read(text: string, draft: RequestDraft): RequestCode | undefined;
}

export interface Base64Rule {
  bytesMax: number;
  tooLong: RequestCode;
  keep(bytes: Uint8Array, draft: RequestDraft): void;
}

/** What has been read so far. */
export interface RequestDraft {
  schemaVersion?: string;
  header: Partial<RequestHeader>;
  kind?: RequestBody['kind'];
  image?: Uint8Array;
  firmwareVersion?: string;
  deviceIds?: readonly string[];
  execution?: number | 'cancel';
  firmwareHash?: string;
  gbcsPayload?: Uint8Array;
}

const requestId = (name: string, field: 'requestId' | 'precedingRequestId'): ElementRule =>
  value(name, 'request-id-invalid', readRequestId, (id, { header }) => {
    header[field] = id;
  });
const reference = (name: string, field: 'serviceReference' | 'serviceReferenceVariant') =>
  value(name, 'service-reference-invalid', readServiceReference, (text, { header }) => {
    header[field] = text;
  });

const HEADER: readonly ElementRule[] = [
  requestId('RequestID', 'requestId'),
  optional(
    value('FirstInSequence', 'boolean-invalid', readBoolean, (is, { header }) => {
      header.firstInSequence = is;
    }),
  ),
  optional(requestId('PrecedingServiceRequestID', 'precedingRequestId')),
  value('CommandVariant', 'command-variant-invalid', readCommandVariant, (variant, { header }) => {
    header.commandVariant = variant;
  }),
  reference('ServiceReference', 'serviceReference'),
  reference('ServiceReferenceVariant', 'serviceReferenceVariant'),
];

const UPDATE: readonly ElementRule[] = [
  {
    name: 'FirmwareImage',
    base64: {
      bytesMax: IMAGE_BYTES_MAX,
      tooLong: 'image-too-large',
      keep(bytes, draft) {
        draft.image = bytes;
      },
    },
  },
  value('FirmwareVersion', 'firmware-version-invalid', readVersion, (version, draft) => {
    draft.firmwareVersion = version;
  }),
  {
    name: 'DeviceIDList',
    text: {
      charactersMax: DEVICE_LIST_CHARACTERS_MAX,
      tooLong: 'device-list-too-long',
      read(text, draft) {
        const deviceIds = readDeviceIds(text);
        if (!deviceIds) return 'device-list-invalid';
        draft.deviceIds = deviceIds;
        return undefined;
      },
    },
  },
];

/** `cancels`: whether the year 3000 calls off. */
const execution = (cancels: boolean): ElementRule => ({
  name: 'ExecutionDateTime',
  isOptional: true,
  text: {
    charactersMax: TEXT_CHARACTERS_MAX,
    tooLong: 'text-too-long',
    read(text, draft) {
      const time = readDateTime(text);
      if (typeof time === 'string') return time;
      draft.execution = cancels && time.year === CANCEL_YEAR ? 'cancel' : time.ms;
      return undefined;
    },
  },
});

/** The five that are served. */
const BODIES: readonly (ElementRule & { name: RequestBody['kind'] })[] = [
  { name: 'UpdateFirmware', children: UPDATE },
  { name: 'UpdatePPMIDFirmware', children: UPDATE },
  { name: 'ReadFirmwareVersion', children: [execution(false)] },
  {
    name: 'ActivateFirmware',
    children: [
      execution(true),
      value('FirmwareHash', 'firmware-hash-invalid', readHash, (hash, draft) => {
        draft.firmwareHash = hash;
      }),
    ],
  },
  {
    name: 'SignedPreCommand',
    children: [
      execution(true),
      {
        name: 'GBCSPayload',
        base64: {
          bytesMax: PAYLOAD_BYTES_MAX,
          tooLong: 'payload-too-large',
          keep(bytes, draft) {
            draft.gbcsPayload = bytes;
          },
        },
      },
    ],
  },
];

export const REQUEST: ElementRule = {
  name: 'Request',
  children: [
    { name: 'Header', children: HEADER },
    { name: 'Body', oneOf: BODIES },
  ],
};

/** Of a draft that was read to its end by the rules, in which nothing is missing. */
export function requestOf(draft: RequestDraft): ServiceRequest {
  const { schemaVersion, header, kind } = draft;
  assert(schemaVersion !== undefined && kind !== undefined, 'the request was read to its end');
  return { schemaVersion, header: header as RequestHeader, body: bodyOf(kind, draft) };
}

function bodyOf(kind: RequestBody['kind'], draft: RequestDraft): RequestBody {
  const { execution } = draft;
  const dated = execution === undefined ? {} : { execution };
  switch (kind) {
    case 'UpdateFirmware':
    case 'UpdatePPMIDFirmware': {
      const { image, firmwareVersion, deviceIds } = draft;
      return { kind, image: image!, firmwareVersion: firmwareVersion!, deviceIds: deviceIds! };
    }
    case 'ReadFirmwareVersion':
      return typeof execution === 'number' ? { kind, executionMs: execution } : { kind };
    case 'ActivateFirmware':
      return { kind, ...dated, firmwareHash: draft.firmwareHash! };
    case 'SignedPreCommand':
      return { kind, ...dated, gbcsPayload: draft.gbcsPayload! };
  }
}

function value<T>(
  name: string,
  code: RequestCode,
  parse: (text: string) => T | undefined,
  keep: (value: T, draft: RequestDraft) => void,
): ElementRule {
  return {
    name,
    text: {
      charactersMax: TEXT_CHARACTERS_MAX,
      tooLong: 'text-too-long',
      read(text, draft) {
        const found = parse(text);
        if (found === undefined) return code;
        keep(found, draft);
        return undefined;
      },
    },
  };
}

function optional(rule: ElementRule): ElementRule {
  return { ...rule, isOptional: true };
}

/** 1 to 8 characters of any kind, as written; XML Schema counts code points. */
function readVersion(text: string): string | undefined {
  const { length } = [...text];
  return length >= 1 && length <= 8 ? text : undefined;
}
