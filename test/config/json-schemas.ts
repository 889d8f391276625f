/**
 * The editors' schemas as they are to be in hw-config. Run it to write them:
 *
 *   node test/config/json-schemas.ts
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  fleetJsonSchema,
  gatewayJsonSchema,
  hubJsonSchema,
  installationsJsonSchema,
  listColumnsJsonSchema,
  ppmidJsonSchema,
  readinessPolicyJsonSchema,
  rigJsonSchema,
} from '../../src/config/schema.ts';
import { scenarioJsonSchema } from '../../src/lab/scenario/schema.ts';

const HW_CONFIG = resolve(import.meta.dirname, '../../hw-config');

export function jsonSchemaFiles(): { path: string; text: string }[] {
  return [
    { path: resolve(HW_CONFIG, 'rig.schema.json'), text: written(rigJsonSchema()) },
    { path: resolve(HW_CONFIG, 'ppmid.schema.json'), text: written(ppmidJsonSchema()) },
    { path: resolve(HW_CONFIG, 'gateway.schema.json'), text: written(gatewayJsonSchema()) },
    { path: resolve(HW_CONFIG, 'fleet.schema.json'), text: written(fleetJsonSchema()) },
    { path: resolve(HW_CONFIG, 'hub.schema.json'), text: written(hubJsonSchema()) },
    {
      path: resolve(HW_CONFIG, 'list-columns.schema.json'),
      text: written(listColumnsJsonSchema()),
    },
    {
      path: resolve(HW_CONFIG, 'readiness-policy.schema.json'),
      text: written(readinessPolicyJsonSchema()),
    },
    {
      path: resolve(HW_CONFIG, 'installations.schema.json'),
      text: written(installationsJsonSchema()),
    },
    { path: resolve(HW_CONFIG, 'scenario.schema.json'), text: written(scenarioJsonSchema()) },
  ];
}

function written(schema: unknown): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

if (import.meta.main) {
  for (const { path, text } of jsonSchemaFiles()) writeFileSync(path, text);
}
