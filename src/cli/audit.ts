/** `uplift audit show` and `check`: what was decided, and whether the log of it is whole. */
import { type AuditHead, type ChainRecord, isDecision, parseHead } from '../audit/chain.ts';
import { loadRig } from '../config/load.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { AuditLog } from '../gateway/audit-log.ts';
import { printable } from '../products/codes.ts';
import { usage, wholeNumber } from './inputs.ts';
import { type Output, paint, table } from './output.ts';

export interface AuditOptions {
  rig?: string;
  log?: string;
  /** Of `show`. */
  last?: string;
  /** Of `check`: `SEQUENCE:HASH`. */
  head?: string;
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
  const trusted = options.head === undefined ? undefined : headOf(options.head);
  const { findings, records, head } = log.check(trusted);
  const rows = findings.map(({ code, message, sequence, line }) => [
    paint('red', code),
    `record ${sequence}`,
    line === undefined ? '-' : `${log.path}:${line}`,
    message,
  ]);
  const name = `${head.sequence}:${head.hash}`;
  const whole = findings.length === 0 ? 'whole' : 'not whole';
  const total = `${log.path}: ${records} records, ${whole}, head ${name}`;
  output.result(
    { log: log.path, records, head, findings },
    [...table(rows), total],
    findings.length === 0 ? [] : [...table(rows), total],
  );
  return findings.length === 0 ? EXIT.done : EXIT.refused;
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

function headOf(text: string): AuditHead {
  const head = parseHead(text.replace(':', ' '));
  if (head) return head;
  throw usage('--head', 'SEQUENCE:HASH, as `uplift audit check` prints it', text);
}

function logOf({ log, rig }: AuditOptions): AuditLog {
  if (log !== undefined) return new AuditLog(log);
  if (rig === undefined) throw usage('--log', 'a log, or a rig (--rig) that names one', 'neither');
  const { auditLog } = loadRig(rig);
  if (auditLog !== undefined) return new AuditLog(auditLog);
  throw usage('--rig', 'a rig file with auditLog', 'one without');
}
