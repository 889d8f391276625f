/** `uplift audit show`, `check` and `export`: what was recorded, and whether the log of it is whole. */
import { resolve } from 'node:path';
import {
  type Certificate,
  type CertificateFinding,
  checkCertificate,
  parseCertificate,
} from '../audit/certificate.ts';
import { type AuditHead, type ChainRecord, isDecision, parseHead } from '../audit/chain.ts';
import { loadRig } from '../config/load.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { AuditLog } from '../gateway/audit-log.ts';
import { readBounded } from '../gateway/bounded-file.ts';
import { printable } from '../products/codes.ts';
import { realFiles } from '../store/files.ts';
import { signExport } from '../store/journal-export.ts';
import { JournalReader } from '../store/journal-reader.ts';
import { type DetachedSignature, verifyDetached } from '../trust/detached-signature.ts';
import { usage, wholeNumber } from './inputs.ts';
import { type Output, paint, table } from './output.ts';

/** A log that is signed is held in memory. */
const SIGNED_BYTES_MAX = 1024 * 1024 * 1024;
const SIGNATURE_BYTES_MAX = 1024;
const KEY_BYTES_MAX = 65_536;

export interface AuditExportOptions {
  journal: string;
  out: string;
  /** A private key, PEM. */
  sign?: string;
}

export interface AuditOptions {
  rig?: string;
  log?: string;
  /** Of `show`. */
  last?: string;
  /** Of `check`: `SEQUENCE:HASH`. */
  head?: string;
  /** Of `check`: `SEQUENCE:HASH` of the record that the log begins after. */
  after?: string;
  /** Of `check`: a signature over the log, and the public key of who is to have signed. */
  signature?: string;
  key?: string;
  /** Of `check`: the text of a certificate, as its QR code has it. */
  certificate?: string;
}

export function showAudit(options: AuditOptions, output: Output): ExitCode {
  const log = logOf(options);
  const all = log.records();
  const last = options.last === undefined ? all.length : wholeNumber(options.last, '--last');
  const records = last === 0 ? [] : all.slice(-last);
  const rows = records.map((record) => [
    `${record.sequence}`,
    new Date(record.atMs).toISOString(),
    ...wordsOf(record).map(printable),
  ]);
  output.result({ log: log.path, records }, table(rows));
  return EXIT.done;
}

export function checkAudit(options: AuditOptions, output: Output): ExitCode {
  const log = logOf(options);
  const signature = signatureOf(log.path, options);
  const trusted = headOf('--head', options.head);
  const { findings, records, head } = log.check(trusted, headOf('--after', options.after));
  const rows = findings.map(({ code, message, sequence, line }) => [
    paint('red', code),
    `record ${sequence}`,
    line === undefined ? '-' : `${log.path}:${line}`,
    message,
  ]);
  const certificate = certificateOf(log, options);
  for (const { code, message, field, expected, actual } of certificate?.findings ?? []) {
    const words = [field, expected && `log: ${expected}`, actual && `certificate: ${actual}`];
    const detail = words.filter((word) => word !== undefined).map(printable);
    rows.push([paint('red', code), 'certificate', detail.join(', ') || '-', message]);
  }
  const name = `${head.sequence}:${head.hash}`;
  const isTrue = certificate?.findings.length === 0;
  const isWhole = findings.length === 0 && signature?.ok !== false;
  if (signature?.ok === false)
    rows.push([paint('red', signature.code), '-', '-', signature.message]);
  const signed = signature?.ok ? ', signed by this key' : '';
  const total = `${log.path}: ${records} records, ${isWhole ? 'whole' : 'not whole'}${signed}, head ${name}`;
  const isGood = isWhole && (certificate === undefined || isTrue);
  const lines = [...table(rows), total, ...(isTrue ? [certificateLine(certificate)] : [])];
  output.result(
    {
      ...{ log: log.path, records, head, findings },
      ...(signature ? { signature } : {}),
      ...(certificate ? { certificate } : {}),
    },
    lines,
    isGood ? [] : lines,
  );
  return isGood ? EXIT.done : EXIT.refused;
}

/** A journal as a log that others can check, while its gateway runs or not. */
export function exportAudit({ journal, out, sign }: AuditExportOptions, output: Output): ExitCode {
  const key = sign === undefined ? undefined : readText(sign, 'a private key');
  const reader = JournalReader.open(journal);
  try {
    const { findings } = reader.check();
    const exported = reader.exportTo(resolve(out));
    const signature = key === undefined ? undefined : signExport(realFiles, exported.path, key);
    const { sequence, hash } = exported.head;
    const rows = findings.map(({ code, sequence: at, message }) => [
      paint('red', code),
      `record ${at}`,
      message,
    ]);
    const signed = signature === undefined ? '' : `, signature ${signature}`;
    const total = `${exported.path}: ${exported.records} records, head ${sequence}:${hash}${signed}`;
    output.result(
      { ...exported, findings, ...(signature === undefined ? {} : { signature }) },
      [...table(rows), total],
      table(rows),
    );
    return findings.length === 0 ? EXIT.done : EXIT.refused;
  } finally {
    reader.close();
  }
}

interface CheckedCertificate {
  /** What it says; absent where it says nothing that can be read. */
  says?: Certificate;
  findings: CertificateFinding[];
}

function certificateOf(
  log: AuditLog,
  { certificate }: AuditOptions,
): CheckedCertificate | undefined {
  if (certificate === undefined) return undefined;
  const says = parseCertificate(certificate);
  return { ...(says ? { says } : {}), findings: checkCertificate(certificate, log.records()) };
}

function certificateLine({ says }: CheckedCertificate): string {
  const { device, ran, runs, done, job } = says!;
  const before = ran === undefined ? '' : ` from ${ran}`;
  const words = `the certificate is true: ${device} was upgraded${before} to ${runs} by job ${job}`;
  return printable(`${words}, read back at ${done}`);
}

function signatureOf(
  path: string,
  { signature, key }: AuditOptions,
): DetachedSignature | undefined {
  if (signature === undefined && key === undefined) return undefined;
  if (signature === undefined) throw usage('--signature', 'the signature of the log', 'only a key');
  if (key === undefined) throw usage('--key', "the signer's public key", 'only a signature');
  return verifyDetached(
    readBounded(path, SIGNED_BYTES_MAX, 'a log'),
    readBounded(signature, SIGNATURE_BYTES_MAX, 'a signature'),
    readText(key, 'a public key'),
  );
}

function readText(path: string, what: string): string {
  return Buffer.from(readBounded(path, KEY_BYTES_MAX, what)).toString('utf8');
}

function wordsOf(record: ChainRecord): string[] {
  if (isDecision(record)) {
    const { by, subject, decision } = record;
    const { verdict, ruleId, said } = decision;
    const why = ruleId === undefined ? said.join(', ') : `by ${ruleId}`;
    return [by, verdict, subject.device ?? '-', subject.image, why];
  }
  const { sequence, atMs, kind, previous, hash, ...body } = record;
  return [kind, JSON.stringify(body)];
}

function headOf(option: string, text: string | undefined): AuditHead | undefined {
  if (text === undefined) return undefined;
  const head = parseHead(text.replace(':', ' '));
  if (head) return head;
  throw usage(option, 'SEQUENCE:HASH, as `uplift audit check` prints it', text);
}

function logOf({ log, rig }: AuditOptions): AuditLog {
  if (log !== undefined) return new AuditLog(log);
  if (rig === undefined) throw usage('--log', 'a log, or a rig (--rig) that names one', 'neither');
  const { auditLog } = loadRig(rig);
  if (auditLog !== undefined) return new AuditLog(auditLog);
  throw usage('--rig', 'a rig file with auditLog', 'one without');
}
