/** Writes docs/reference. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { referencePages } from './pages.ts';

const ROOT = resolve(import.meta.dirname, '../..');
for (const { path, text } of await referencePages()) writeFileSync(resolve(ROOT, path), text);
