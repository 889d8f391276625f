import { join } from 'node:path';

/** Files that come with Uplift, from the sources and from the package alike. */
export function shippedPath(...parts: string[]): string {
  return join(import.meta.dirname, import.meta.url.endsWith('.ts') ? '../..' : '..', ...parts);
}
