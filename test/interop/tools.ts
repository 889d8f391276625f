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
  if (hasTool(tool)) {
    test(name, body);
  } else if (process.env['CI'] === 'true') {
    test(name, () => {
      throw new Error(`${tool} is not installed; run scripts/setup-interop`);
    });
  } else {
    console.log(
      `SKIP ${name}: needs ${tool}, which is not here; scripts/setup-interop installs it`,
    );
    test.skip(name, () => {});
  }
}
