/**
 * Defects for the month of Service Requests to find: each takes away one thing that keeps requests from
 * being lost, or done or told twice. `plant` puts one in; what it returns takes it out again.
 */
import { requestIdText } from '../../src/duis/identifiers.ts';
import { Outbox } from '../../src/duis/outbox.ts';
import { MILESTONES } from '../../src/duis/progress-rows.ts';
import { RequestBook } from '../../src/duis/request-book.ts';
import { JobBook } from '../../src/jobs/book.ts';

export interface Defect {
  name: string;
  plant(): () => void;
}

export const DEFECTS: readonly Defect[] = [
  {
    name: 'a message is queued and marks nothing',
    plant: () =>
      replace(RequestBook.prototype, 'apply', (original) => (record) => {
        const isMuted =
          record.kind === 'duis-message' &&
          record.step === 'queued' &&
          record.about?.mark === MILESTONES.transferred;
        if (!isMuted) original(record);
      }),
  },
  {
    name: 'counters are forgotten',
    plant: () => {
      const judged = replace(RequestBook.prototype, 'judge', (original) => (id, sha256) => {
        const judgement = original(id, sha256);
        const isLate = 'code' in judgement && judgement.code === 'counter-not-above';
        return isLate ? { kind: 'new' } : judgement;
      });
      const fits = replace(RequestBook.prototype, 'assertFits', () => () => {});
      return () => {
        judged();
        fits();
      };
    },
  },
  {
    name: 'a request is known by its id alone',
    plant: () =>
      replace(RequestBook.prototype, 'judge', (original, book) => (id, sha256) => {
        const entry = book['entries'].get(requestIdText(id));
        return entry ? { kind: 'repeated', answer: entry.answer } : original(id, sha256);
      }),
  },
  {
    name: 'what was begun before a crash is begun again',
    plant: () => {
      const jobs = replace(JobBook.prototype, 'jobOfRequest', () => () => undefined);
      const applied = replace(RequestBook.prototype, 'apply', (original) => (record) => {
        const isJobs = record.kind === 'duis-request' && record.step === 'jobs';
        if (!isJobs || record.sequence % 10 !== 0) original(record);
      });
      return () => {
        jobs();
        applied();
      };
    },
  },
  {
    name: 'a message counts as delivered whatever was answered',
    plant: () =>
      replace(Outbox.prototype, 'handleResult', (original) => (sent, _result, nowMs) => {
        return original(sent, { kind: 'answered', status: 200 }, nowMs);
      }),
  },
  {
    name: 'a request that waits for its time is dropped by a restart',
    plant: () => {
      let highest = 0;
      return replace(RequestBook.prototype, 'apply', (original) => (record) => {
        const isOld = record.sequence <= highest;
        highest = Math.max(highest, record.sequence);
        const isDated =
          record.kind === 'duis-request' &&
          record.step === 'accepted' &&
          typeof record.execution === 'number';
        if (!isOld || !isDated) original(record);
      });
    },
  },
];

type Method = (...args: never[]) => unknown;

/** @param make is handed the original, and whom it is called of */
function replace<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  make: (original: T[K], self: T) => T[K],
): () => void {
  const original = prototype[name] as Method;
  function replaced(this: T, ...args: never[]): unknown {
    const made = make(original.bind(this) as T[K], this) as Method;
    return made(...args);
  }
  prototype[name] = replaced as T[K];
  return () => {
    prototype[name] = original as T[K];
  };
}
