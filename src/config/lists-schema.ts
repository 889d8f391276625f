/** What a file may say about lists: how their columns are called, what a site chose, installations. */
import { COHORTS, MIGRATION_STATES } from '../products/installations.ts';
import { matching, text, whole, z } from './fields.ts';

const field = matching(/^[a-z][a-z0-9_]{0,63}$/, 'the name of a field, such as firmware_version');
const heading = text(1, 200);

const choice = z
  .union(
    [heading, z.array(heading).min(1).max(16), z.strictObject({ join: z.array(heading).max(16) })],
    'a heading, a list of headings, or join with a list of headings',
  )
  .describe(
    'One heading; several, of which one is there; or some whose cells are joined by colons.',
  );

const mapping = z.strictObject({
  sheet: text(1, 31).optional().describe('Of a workbook; the first if not named.'),
  headingRow: whole(1, 1_048_576).optional().describe('The row of the headings.'),
  columns: z.record(field, choice).optional().describe('Our fields to the headings of the file.'),
  defaults: z
    .record(field, text(0, 200))
    .optional()
    .describe('What a field without a column holds in every row.'),
  dates: z.enum(['YYYY-MM-DD', 'DD/MM/YYYY']).optional().describe('How dates are written.'),
  words: z
    .record(field, z.record(text(1, 100), text(1, 100)))
    .optional()
    .describe("A field's words in the file to our words."),
});

export const listColumnsSchema = z.strictObject({
  kind: z.literal('list-columns', 'list-columns'),
  centralProductsList: mapping.optional(),
  eligibleCombinations: mapping.optional(),
  pendingCombinations: mapping.optional(),
  deviceModelVariations: mapping.optional(),
  installations: mapping.optional(),
});

const source = text(1, 500).describe('Who decided it, or which document says it.');

export const readinessPolicySchema = z.strictObject({
  kind: z.literal('readiness-policy', 'readiness-policy'),
  unknownPathway: z.enum(['warn', 'refuse']).optional(),
  noPathway: z.enum(['warn', 'refuse']).optional(),
  intermediates: z.enum(['covered', 'any']).optional(),
  expedited: z
    .strictObject({
      purposes: z
        .array(text(1, 200))
        .max(100)
        .describe('Purposes of expedited entries that count.'),
      testOf: z.enum(['combination', 'device-model']).optional(),
      source,
    })
    .optional(),
  ages: z
    .strictObject({
      warnAfterDays: whole(0, 3650),
      refuseAfterDays: whole(0, 3650),
      source,
    })
    .refine(({ warnAfterDays, refuseAfterDays }) => warnAfterDays <= refuseAfterDays, {
      path: ['refuseAfterDays'],
      error: 'no fewer days than warnAfterDays',
    })
    .optional(),
});

const device = z
  .strictObject({
    manufacturer: text(1, 30),
    model: text(1, 30),
    hardwareVersion: text(1, 8),
    hardwareRevision: text(1, 8),
    firmwareVersion: text(1, 8),
  })
  .describe('A Device Model as the Central Products List writes it: text, in quotes.');

/** More devices than an inventory answer can have are the wrong file. */
const devices = z.array(device).max(17).optional();

const installation = z.strictObject({
  id: text(1, 100),
  provider: text(1, 100).describe('The communications service provider.'),
  cohort: z.enum(COHORTS).optional(),
  communicationsHub: device,
  profileDataPush: z.boolean('true or false').optional(),
  esme: devices,
  gsme: devices,
  ppmid: devices,
  suppliers: z
    .strictObject({ electricity: text(1, 100).optional(), gas: text(1, 100).optional() })
    .optional(),
  migration: z.enum(MIGRATION_STATES).optional(),
});

export const installationsSchema = z.strictObject({
  kind: z.literal('installations', 'installations'),
  installations: z.array(installation).min(1).max(2_000),
});
