/** What the page knows of the API is what the API says of itself. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { API_TYPES_PATH, apiTypes } from '../../scripts/web/api-types.ts';
import { mayUse } from '../../src/api/access.ts';
import { ROUTES } from '../../src/api/routes.ts';
import type { Role } from '../../src/config/gateway.ts';
import { ROLES } from '../../src/config/gateway-schema.ts';
import { mayAsk, type OperationName } from '../../src/web/client.ts';

const test = suite('types of the API in the page');

test('the file is what the script makes', () => {
  assert.is(readFileSync(API_TYPES_PATH, 'utf8'), apiTypes(), 'run scripts/build web-types');
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
