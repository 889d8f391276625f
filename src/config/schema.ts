/**
 * What the files of hw-config are once they are read and checked: the types that the rest of Uplift knows
 * them by, and the JSON Schemas that editors check them with.
 *
 * The product and the virtual devices read the same model files, so that a virtual device has the real
 * geometry and timing. Times carry their unit in the key. Unknown keys are errors: a misspelt key must
 * not be a silent default. Descriptions go into the JSON Schemas, where editors show them.
 */
import { z } from './fields.ts';
import { fleetSchema } from './fleet-schema.ts';
import { gatewaySchema } from './gateway-schema.ts';
import {
  type HubFaults,
  type HubModel,
  hubModelSchema,
  type VirtualSmpConfig,
} from './hub-schema.ts';
import { installationsSchema, listColumnsSchema, readinessPolicySchema } from './lists-schema.ts';
import type { PowerConfig } from './power-schema.ts';
import {
  type OtaClientConfig,
  type PpmidFaults,
  type PpmidModel,
  ppmidModelSchema,
} from './ppmid-schema.ts';
import {
  type AdmissionDocument,
  type CoordinatorConfig,
  JSON_SCHEMA_OPTIONS,
  rigSchema,
  type WanConfig,
} from './rig-schema.ts';

export type {
  HubFaults,
  HubModel,
  LineStepConfig,
  SerialConfig,
  SmpConfig,
  VirtualSmpConfig,
} from './hub-schema.ts';
export type { PowerConfig } from './power-schema.ts';
export type { OtaClientConfig, PpmidFaults, PpmidModel } from './ppmid-schema.ts';
export type { CoordinatorConfig, LinkFaults, WanConfig } from './rig-schema.ts';

/** What decisions rest on, its paths absolute. */
export type RigAdmission = AdmissionDocument;

/** What a rig has of a device beside the device: what switches its supply, and its buttons by name. */
export interface DeviceWiring {
  power?: PowerConfig | undefined;
  buttons?: Readonly<Record<string, PowerConfig>> | undefined;
}

/** A PPMID of a rig with its model file read and its counts spread out. */
export interface PpmidDevice extends DeviceWiring {
  kind: 'ppmid';
  id: string;
  eui64: string;
  coordinator: string;
  /** With its EUI-64, in a form that zigbee-herdsman takes. */
  installCode: string | undefined;
  /** The id of the installation it is part of. */
  installation: string | undefined;
  model: PpmidModel;
  virtual: { firmwarePath: string; otaClient: OtaClientConfig; faults: PpmidFaults } | undefined;
}

/** A Communications Hub of a rig with its model file read. */
export interface HubDevice extends DeviceWiring {
  kind: 'hub';
  id: string;
  /** An absolute path, `usb:...` or `tcp://host:port`. */
  port: string;
  baudRate: number;
  /** On its label. */
  serialNumber: string | undefined;
  /** Of its Communications Hub Function. */
  eui64: string | undefined;
  /** The id of the installation it is part of. */
  installation: string | undefined;
  model: HubModel;
  virtual: VirtualHub | undefined;
}

export interface VirtualHub {
  firmwarePath: string;
  seed: number;
  turnRoundMs: number;
  bootMs: number;
  /** Present where its model speaks SMP. */
  smp: VirtualSmpConfig | undefined;
  faults: HubFaults;
}

export type RigDevice = PpmidDevice | HubDevice;

/** A rig file after every check: paths absolute, references resolved. */
export interface Rig {
  id: string;
  description: string;
  path: string;
  stateFolder: string;
  centralProductsList: string | undefined;
  /** A folder, or the document itself. */
  trustAnchors: string | undefined;
  admission: RigAdmission | undefined;
  /** What every decision is recorded in. */
  auditLog: string | undefined;
  /** Servers of the network that a lab stands in front of. */
  wan: readonly WanConfig[];
  coordinators: CoordinatorConfig[];
  /** All of them, in the order of the file. */
  devices: RigDevice[];
  /** Those behind a coordinator. */
  ppmids: PpmidDevice[];
  /** Those on a port of their own. */
  hubs: HubDevice[];
}

/** As much of a JSON Schema as is read here: what the editors' schemas are made of. */
export interface JsonSchema {
  title?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  additionalProperties?: JsonSchema;
  /** Such as `#/$defs/steps`. */
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  enum?: unknown[];
  [keyword: string]: unknown;
}

/** hw-config/rig.schema.json, for editors. */
export function rigJsonSchema(): JsonSchema {
  return jsonSchema(rigSchema, 'A rig of Uplift: what is wired to what');
}

/** hw-config/ppmid.schema.json, for editors. */
export function ppmidJsonSchema(): JsonSchema {
  return jsonSchema(ppmidModelSchema, 'A PPMID model of Uplift: protocol, geometry and timing');
}

/** hw-config/hub.schema.json, for editors. */
export function hubJsonSchema(): JsonSchema {
  const title = 'A Communications Hub model of Uplift: protocol, geometry and timing';
  return jsonSchema(hubModelSchema, title);
}

/** hw-config/list-columns.schema.json, for editors. */
export function listColumnsJsonSchema(): JsonSchema {
  return jsonSchema(listColumnsSchema, 'How the columns of lists are called');
}

/** hw-config/readiness-policy.schema.json, for editors. */
export function readinessPolicyJsonSchema(): JsonSchema {
  return jsonSchema(readinessPolicySchema, 'What a site chose about readiness for migration');
}

/** hw-config/installations.schema.json, for editors. */
export function installationsJsonSchema(): JsonSchema {
  return jsonSchema(installationsSchema, 'Installations for Uplift');
}

/** hw-config/gateway.schema.json, for editors. */
export function gatewayJsonSchema(): JsonSchema {
  return jsonSchema(gatewaySchema, 'The gateway service of Uplift');
}

/** hw-config/fleet.schema.json, for editors. */
export function fleetJsonSchema(): JsonSchema {
  return jsonSchema(fleetSchema, 'The coordinator of a fleet of Uplift gateways');
}

/** Written once: every file with a mistake in it is explained by one. */
const written = new Map<z.ZodType, JsonSchema>();

function jsonSchema(schema: z.ZodType, title: string): JsonSchema {
  const known = written.get(schema);
  if (known) return known;
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema: node }) => {
      const options = JSON_SCHEMA_OPTIONS.get(zodSchema);
      if (options) node.anyOf = options.map((option) => bare(option));
    },
  });
  const whole = { $schema, title, ...rest } as JsonSchema;
  written.set(schema, whole);
  return whole;
}

function bare(schema: z.ZodType): Omit<z.core.JSONSchema.JSONSchema, '$schema'> {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}
