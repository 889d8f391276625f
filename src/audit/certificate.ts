/**
 * The certificate of an upgrade: what was installed on which device, by whom, and where the records say
 * so. It is made from records of the journal and from nothing else, so whoever has the log can make it
 * again: it is verified by holding the one against the other, field by field.
 *
 * As text it is one line, short enough for a QR code that a phone reads off paper:
 *
 *     UPLIFT-CERTIFICATE-1;job=j12;device=ppmid;ran=01000000;runs=02000000;image=…;by=api:ann;…;record=41:…
 *
 * A value is percent-encoded where it holds `;`, `=`, `%` or anything that is no visible ASCII character.
 * A field that the log does not tell is left out; the order is always the same.
 */
import { type ChainRecord, parseHead } from './chain.ts';

export const CERTIFICATE_CODES = {
  'certificate-malformed': 'The text is no certificate of an upgrade.',
  'certificate-absent':
    'The log has no record of this number; an older one is in an archive of the journal.',
  'certificate-exchanged': 'The record of this number has another hash than the certificate says.',
  'certificate-not-done': 'The record that the certificate names is of no upgrade that was done.',
  'certificate-differs': 'The certificate says something else than the log.',
} as const;

export type CertificateCode = keyof typeof CERTIFICATE_CODES;

/** In the order in which its text has them. */
const FIELDS = [
  'job',
  'device',
  'ran',
  'runs',
  'image',
  'listed',
  'entries',
  'by',
  'approvedBy',
  'done',
  'record',
] as const;

type CertificateField = (typeof FIELDS)[number];

/** Every value as its text has it. */
export type Certificate = { [Field in CertificateField]?: string };

export interface CertificateFinding {
  code: CertificateCode;
  message: string;
  field?: CertificateField;
  expected?: string;
  actual?: string;
}

const TITLE = 'UPLIFT-CERTIFICATE-1';
const TEXT_CHARACTERS_MAX = 4_096;

/**
 * Of the device in the job, by the records of the job in their order; `undefined` where no version was
 * read back.
 */
export function certificateOf(
  records: Iterable<Pick<ChainRecord, 'kind' | 'sequence' | 'atMs'>>,
  job: string,
  device: string,
): Certificate | undefined {
  const found: Certificate = { job, device };
  for (const record of records as Iterable<JobWords>) {
    if (record.job !== job) continue;
    if (record.kind === 'job') {
      found.by = record.by;
      found.image = record.request?.image;
    } else if (record.kind === 'command') {
      if (record.command === 'approve') found.approvedBy = record.by;
    } else if ((record.device ?? record.subject?.device) !== device) continue;
    else if (record.kind === 'decision' && record.decision?.verdict === 'admitted') {
      found.ran = record.runs ?? found.ran;
      found.listed = record.digests?.['listed'];
      found.entries = record.entries?.join(',');
    } else if (record.kind === 'state' && record.state === 'done') {
      found.runs = record.runs;
      found.done = new Date(record.atMs).toISOString();
      found.record = `${record.sequence}:${record.hash}`;
    }
  }
  return found.record === undefined || found.runs === undefined ? undefined : found;
}

/** Of a record of a job, as much as a certificate tells. */
interface JobWords extends ChainRecord {
  job?: string;
  device?: string;
  by?: string;
  request?: { image?: string };
  command?: string;
  subject?: { device?: string };
  decision?: { verdict?: string };
  digests?: Readonly<Record<string, string>>;
  runs?: string;
  entries?: readonly string[];
  state?: string;
}

export function certificateText(certificate: Certificate): string {
  const words = FIELDS.flatMap((field) => {
    const value = certificate[field];
    return value === undefined || value === '' ? [] : `${field}=${encode(value)}`;
  });
  return [TITLE, ...words].join(';');
}

/** `undefined`: it is none. */
export function parseCertificate(text: string): Certificate | undefined {
  const line = text.trim();
  if (line.length > TEXT_CHARACTERS_MAX) return undefined;
  const [title, ...words] = line.split(';');
  if (title !== TITLE) return undefined;
  const found: Certificate = {};
  let last = -1;
  for (const word of words) {
    const [, name, written] = /^([a-zA-Z]+)=([!-:<>-~]+)$/.exec(word) ?? [];
    const at = FIELDS.indexOf(name as CertificateField);
    const value = written === undefined ? undefined : decode(written);
    if (at <= last || value === undefined) return undefined;
    found[FIELDS[at]!] = value;
    last = at;
  }
  const isWhole = found.job && found.device && found.runs && headOf(found);
  return isWhole ? found : undefined;
}

/** Everything that is wrong with the text, held against all records of a log. */
export function checkCertificate(
  text: string,
  records: readonly ChainRecord[],
): CertificateFinding[] {
  const said = parseCertificate(text);
  if (!said) return [finding('certificate-malformed')];
  const head = headOf(said)!;
  const record = records.find(({ sequence }) => sequence === head.sequence) as JobWords | undefined;
  if (!record) {
    return [finding('certificate-absent', { field: 'record', expected: `${head.sequence}` })];
  }
  if (record.hash !== head.hash) {
    const actual = `${record.sequence}:${record.hash}`;
    return [finding('certificate-exchanged', { field: 'record', expected: said.record!, actual })];
  }
  const until = records.filter(({ sequence }) => sequence <= head.sequence);
  const told = certificateOf(until, said.job!, said.device!);
  if (!told || told.record !== said.record)
    return [finding('certificate-not-done', { field: 'record' })];
  return FIELDS.filter((field) => said[field] !== (told[field] || undefined)).map((field) =>
    finding('certificate-differs', {
      field,
      expected: told[field] || 'nothing',
      actual: said[field] ?? 'nothing',
    }),
  );
}

function headOf({ record }: Certificate) {
  return record === undefined ? undefined : parseHead(record.replace(':', ' '));
}

function finding(
  code: CertificateCode,
  detail: Omit<CertificateFinding, 'code' | 'message'> = {},
): CertificateFinding {
  return { code, message: CERTIFICATE_CODES[code], ...detail };
}

function encode(value: string): string {
  return value.replace(/[^!-~]|[;=%]/gu, (character) => encodeURIComponent(character));
}

function decode(written: string): string | undefined {
  try {
    const value = decodeURIComponent(written);
    return encode(value) === written ? value : undefined;
  } catch {
    return undefined;
  }
}
