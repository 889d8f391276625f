/**
 * The sample folder `../shared` holds third-party files that are not ours to ship. Tests that need it
 * say so and are skipped, visibly, where it is absent.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Test } from 'uvu';

const SHARED = resolve(import.meta.dirname, '../../../shared');

/** Registers `name` with uvu, or as a skip with a printed line where `path` below ../shared is absent. */
export function testWithShared(
  test: Test,
  path: string,
  name: string,
  body: (absolutePath: string) => void | Promise<void>,
): void {
  const absolutePath = resolve(SHARED, path);
  if (existsSync(absolutePath)) {
    test(name, () => body(absolutePath));
    return;
  }
  console.log(`SKIP ${name}: needs ../shared/${path}, which is not here`);
  test.skip(name, () => {});
}

export function readShared(path: string): Uint8Array {
  return readFileSync(resolve(SHARED, path));
}
