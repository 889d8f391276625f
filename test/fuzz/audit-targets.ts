/** The audit log: its lines, the head beside it, and a whole log. */
import {
  AUDIT_CODES,
  type AuditEntry,
  checkChain,
  EMPTY_HEAD,
  headText,
  isDecision,
  nextRecord,
  parseHead,
  parseRecord,
  recordLine,
} from '../../src/audit/chain.ts';
import { ACCEPTED, type Answer, type Family, hold, known, textOf, utf8 } from './target.ts';

const ENTRY: AuditEntry = {
  kind: 'decision',
  by: 'verify',
  subject: { device: 'ppmid-1', image: 'image.zigbee' },
  digests: { send: 'ab'.repeat(32) },
  decision: {
    decidedAtMs: 1_700_000_000_000,
    intake: 'field',
    verdict: 'refused',
    ruleId: 'cpl.listed',
    conditional: false,
    pending: [],
    said: ['cpl.listed refuse'],
  },
};
const { lines: LINES, head: HEAD } = log(5);
const LOG = LINES.join('');
const WORDS = ['null', '[]', '{}', '1e999', '"__proto__":', '"sequence":2', '\n', '\\u0000'];

export const AUDIT: Family = {
  name: 'audit',
  targets: [
    { name: 'audit record', good: LINES.map(utf8), words: WORDS, read: readRecord },
    { name: 'audit head', good: [utf8(headText(HEAD))], read: readHead },
    { name: 'audit log', good: [utf8(LOG)], words: WORDS, read: readLog },
  ],
};

function log(records: number) {
  const lines: string[] = [];
  let head = EMPTY_HEAD;
  for (let n = 1; n <= records; n++) {
    const record = nextRecord(head, ENTRY, 1_700_000_000_000 + n);
    head = { sequence: record.sequence, hash: record.hash };
    lines.push(recordLine(record));
  }
  return { lines, head };
}

function readRecord(bytes: Uint8Array): Answer {
  const record = parseRecord(textOf(bytes));
  if (!record) return { accepted: false, codes: [] };
  if (record.kind === 'decision') hold(isDecision(record), 'a decision is a whole one');
  hold(parseRecord(recordLine(record)) !== undefined, 'written again it is read');
  return ACCEPTED;
}

function readHead(bytes: Uint8Array): Answer {
  const head = parseHead(textOf(bytes));
  if (!head) return { accepted: false, codes: [] };
  hold(Number.isSafeInteger(head.sequence), 'a sequence is a number');
  return ACCEPTED;
}

function readLog(bytes: Uint8Array): Answer {
  const text = textOf(bytes);
  const { findings } = checkChain(text, headText(HEAD), HEAD);
  const codes = findings.map(({ code }) => known(AUDIT_CODES, code));
  hold(codes.length > 0 || text === LOG, 'no other log passes for this one');
  return { accepted: codes.length === 0, codes: [...new Set(codes)] };
}
