import { resolve } from 'node:path';

/** The command line that tests give: the bundle where `scripts/test` has built it, else the sources. */
export const MAIN =
  process.env['UPLIFT_MAIN'] ?? resolve(import.meta.dirname, '../../src/cli/main.ts');
