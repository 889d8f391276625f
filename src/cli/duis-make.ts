/** `uplift duis make`: a Service Request for firmware as a document, to be signed. */
import { parseEui64 } from '../bytes/hex.ts';
import { readUnsignedRequest } from '../duis/request-reader.ts';
import { encodeRequest } from '../duis/request-text.ts';
import { SERVICE_MATRIX, type ServiceRow } from '../duis/service-matrix.ts';
import type { RequestBody, ServiceRequest } from '../duis/service-request.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { readDocument, refusedDocument, writeDocument } from './duis-documents.ts';
import { momentOf, usage, wholeNumber } from './inputs.ts';
import type { Output } from './output.ts';

export interface MakeOptions {
  originator: string;
  target: string;
  duisVersion: string;
  counter?: string;
  variant?: string;
  image?: string;
  firmwareVersion?: string;
  device?: string[];
  devices?: string;
  hash?: string;
  at?: string;
  out?: string;
}

/** What each takes beside what all take; all but what may be absent has to be there. */
const TAKES: Record<string, readonly (keyof MakeOptions)[]> = {
  UpdateFirmware: ['image', 'firmwareVersion', 'device', 'devices'],
  UpdatePPMIDFirmware: ['image', 'firmwareVersion', 'device', 'devices'],
  ReadFirmwareVersion: ['at'],
  ActivateFirmware: ['hash', 'at'],
};
const OF_ONE: readonly (keyof MakeOptions)[] = [
  'image',
  'firmwareVersion',
  'device',
  'devices',
  'hash',
  'at',
];
/** Of the schema: 10,240,000 octets. */
const IMAGE_BYTES_MAX = 10_240_000;
/** 50,000 of a line each. */
const LIST_BYTES_MAX = 2 * 1024 * 1024;

export async function make(
  service: string,
  options: MakeOptions,
  output: Output,
): Promise<ExitCode> {
  const row = rowOf(service);
  for (const name of OF_ONE) {
    const isTaken = TAKES[row.body]!.includes(name);
    if (options[name] !== undefined && !isTaken) {
      throw usage(optionOf(name), `none: ${service} has no such thing`, 'one');
    }
  }
  const request: ServiceRequest = {
    schemaVersion: options.duisVersion,
    header: {
      requestId: {
        originator: euiOf('--originator', options.originator),
        target: euiOf('--target', options.target),
        counter: counterOf(options.counter),
      },
      commandVariant: variantOf(options.variant, row),
      serviceReference: service,
      serviceReferenceVariant: service,
    },
    body: await bodyOf(row.body, options),
  };
  const bytes = encodeRequest(request);
  // What cannot be read is not made: a version of nine characters, a schema version that is none.
  const read = readUnsignedRequest(bytes);
  if (!read.ok) throw refusedDocument(read, 'correct the option that says it');
  if (output.json) {
    const out = options.out === undefined ? {} : { out: options.out };
    if (options.out !== undefined) writeDocument(bytes, options.out);
    output.result({ document: new TextDecoder().decode(bytes), ...out }, []);
  } else writeDocument(bytes, options.out);
  return EXIT.done;
}

/** That of the command itself, where a service has a signed Pre-Command too. */
function rowOf(service: string): ServiceRow {
  const row = SERVICE_MATRIX.find(({ serviceReference }) => serviceReference === service);
  if (row) return row;
  const known = new Set(SERVICE_MATRIX.map(({ serviceReference }) => serviceReference));
  throw usage('<service>', [...known].join(', '), service);
}

async function bodyOf(kind: RequestBody['kind'], options: MakeOptions): Promise<RequestBody> {
  const { at } = options;
  switch (kind) {
    case 'UpdateFirmware':
    case 'UpdatePPMIDFirmware':
      return {
        kind,
        image: readBounded(needed('image', options), IMAGE_BYTES_MAX, 'an image'),
        firmwareVersion: needed('firmwareVersion', options),
        deviceIds: await devicesOf(options),
      };
    case 'ReadFirmwareVersion':
      return { kind, ...(at === undefined ? {} : { executionMs: momentOf('--at', at) }) };
    default:
      return {
        kind: 'ActivateFirmware',
        firmwareHash: hashOf(needed('hash', options)),
        ...(at === undefined ? {} : { execution: at === 'cancel' ? at : momentOf('--at', at) }),
      };
  }
}

async function devicesOf({ device = [], devices }: MakeOptions): Promise<string[]> {
  const listed =
    devices === undefined
      ? []
      : new TextDecoder()
          .decode(await readDocument(devices, LIST_BYTES_MAX))
          .split(/[\s,]+/)
          .filter((word) => word !== '');
  const all = [
    ...device.map((text) => euiOf('--device', text)),
    ...listed.map((text) => euiOf('--devices', text)),
  ];
  if (all.length > 0) return all;
  throw usage('--device', 'the EUI-64 of one device at least', 'none');
}

function needed(name: 'image' | 'firmwareVersion' | 'hash', options: MakeOptions): string {
  const value = options[name];
  if (value !== undefined) return value;
  throw usage(optionOf(name), 'it to be there, for this service', 'none');
}

function hashOf(text: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  throw usage('--hash', 'the SHA-256 of the Manufacturer Image: 64 hexadecimal digits', text);
}

function euiOf(option: string, text: string): string {
  const eui64 = parseEui64(text);
  if (eui64 !== undefined) return eui64;
  throw usage(option, 'an EUI-64: 16 hexadecimal digits, hyphens or colons allowed', text);
}

/** Which only ever rises: the time serves. */
function counterOf(text: string | undefined): bigint {
  if (text === undefined || text === 'now') return BigInt(Date.now());
  if (/^[0-9]{1,20}$/.test(text) && BigInt(text) < 2n ** 64n) return BigInt(text);
  throw usage('--counter', 'now, or a whole number below 2^64', text);
}

function variantOf(text: string | undefined, { commandVariants }: ServiceRow): number {
  if (text === undefined) return commandVariants[0]!;
  const variant = wholeNumber(text, '--variant');
  if (variant >= 1 && variant <= 9) return variant;
  throw usage('--variant', 'a number from 1 to 9', text);
}

/** `firmwareVersion` is `--firmware-version`. */
function optionOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
