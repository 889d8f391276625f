/** What docs/reference holds: each page's path in the repository, and its text as the sources make it now. */
import { commandLinePage } from './command-line.ts';
import { configurationPage } from './configuration.ts';
import { errorCodesPage } from './error-codes.ts';
import { apiPage } from './http-api.ts';
import { metricsPage } from './metrics.ts';
import { rulesPage } from './rules.ts';

export async function referencePages(): Promise<{ path: string; text: string }[]> {
  return [
    { path: 'docs/reference/configuration.md', text: configurationPage() },
    { path: 'docs/reference/command-line.md', text: commandLinePage() },
    { path: 'docs/reference/api.md', text: apiPage() },
    { path: 'docs/reference/error-codes.md', text: await errorCodesPage() },
    { path: 'docs/reference/rules.md', text: rulesPage() },
    { path: 'docs/reference/metrics.md', text: await metricsPage() },
  ];
}
