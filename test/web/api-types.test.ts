/** What the page knows of the API is what the API says of itself. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { apiTypes } from '../../scripts/web/api-types.ts';
import { mayUse } from '../../src/api/access.ts';
import { ROUTES } from '../../src/api/routes.ts';
import type { Role } from '../../src/config/gateway.ts';
import { ROLES } from '../../src/config/gateway-schema.ts';
import { mayAsk, type OperationName } from '../../src/web/client.ts';

const test = suite('types of the API in the page');

test('the files are what the script makes', () => {
  for (const [path, text] of apiTypes())
    assert.is(readFileSync(path, 'utf8'), text, 'run scripts/build web-types');
});

test('the page hides what the gateway would forbid, and nothing else', () => {
  for (const { operation, role } of ROUTES)
    for (const held of ROLES)
      assert.is(
        mayAsk(held, operation as OperationName),
        mayUse(held, (role ?? 'viewer') as Role),
        `${held} ${operation}`,
      );
});

test.run();
