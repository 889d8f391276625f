/**
 * What a gateway remembers of the actions of a hawkBit server, over every restart: the one it is at, what it
 * said at the end of those before, and which it denied.
 */
import { text, whole, z } from '../../config/fields.ts';
import { sha256 } from '../wire.ts';
import { HAWKBIT_CODES, type HawkbitCode } from './codes.ts';

const codes = Object.keys(HAWKBIT_CODES) as [HawkbitCode, ...HawkbitCode[]];
const outcome = z.strictObject({
  finished: z.enum(['success', 'failure']),
  code: z.enum(codes).optional(),
  details: z.array(z.string().max(1024)).max(16),
});
const id = text(1, 20);

export const hawkbitState = z.strictObject({
  version: z.literal(1),
  action: z
    .strictObject({
      id,
      /** Of the signed campaign, as a file. */
      document: sha256,
      /** Of its manifest. */
      digest: sha256,
      course: z.enum(['run', 'pause', 'abort']),
      takenMs: whole(0, Number.MAX_SAFE_INTEGER),
      reports: whole(0, 1_000_000),
      isDownloadTold: z.boolean(),
      /** What is to be said at its end, until the server has it. */
      outcome: outcome.optional(),
    })
    .optional(),
  /** The newest last. */
  ended: z.array(z.strictObject({ id, outcome })).max(32),
  denied: z.array(z.strictObject({ id, code: text(1, 64) })).max(32),
});
export type HawkbitState = z.infer<typeof hawkbitState>;
export type ActionState = NonNullable<HawkbitState['action']>;

export const NO_ACTIONS: HawkbitState = { version: 1, ended: [], denied: [] };
export const REMEMBERED_MAX = 32;
