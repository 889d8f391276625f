/**
 * Programs that are not ours. Where one is missing its tests are skipped, visibly; but with CI=true a
 * missing program is a failure: there `scripts/setup-interop` has run before.
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Test } from 'uvu';

export function hasTool(name: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Registers `name` with uvu: to run, to be skipped, or to fail where the tool has to be there. */
export function testWithTool(
  test: Test<object>,
  tool: string,
  name: string,
  body: () => Promise<void>,
): void {
  testWhere(test, hasTool(tool) ? [] : [tool], name, body);
}

/** The same for any number of tools, by those of them that are not here. */
export function testWhere(
  test: Test<object>,
  missing: readonly string[],
  name: string,
  body: () => void | Promise<void>,
): void {
  const tools = missing.join(', ');
  if (missing.length === 0) {
    test(name, body);
  } else if (process.env['CI'] === 'true') {
    test(name, () => {
      throw new Error(`not installed: ${tools}; run scripts/setup-interop`);
    });
  } else {
    console.log(`SKIP ${name}: needs ${tools}, not here; scripts/setup-interop installs that`);
    test.skip(name, () => {});
  }
}
