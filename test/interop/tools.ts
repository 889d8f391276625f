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
  testUnlessMissing(test, hasTool(tool) ? undefined : tool, name, body);
}

/** The same for what is not found in PATH: `missing` names it where it is not here. */
export function testUnlessMissing(
  test: Test<object>,
  missing: string | undefined,
  name: string,
  body: () => Promise<void>,
): void {
  if (missing === undefined) {
    test(name, body);
  } else if (process.env['CI'] === 'true') {
    test(name, () => {
      throw new Error(`${missing} is not installed; run scripts/setup-interop`);
    });
  } else {
    console.log(
      `SKIP ${name}: needs ${missing}, which is not here; scripts/setup-interop installs it`,
    );
    test.skip(name, () => {});
  }
}
