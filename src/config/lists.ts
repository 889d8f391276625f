/** Reads the files about lists: their columns, what a site chose, installations written as YAML. */
import { resolve } from 'node:path';
import type { ColumnMapping } from '../products/columns.ts';
import type { CombinationDevice, DeviceKind } from '../products/combinations.ts';
import type { DeviceModel } from '../products/device-model.ts';
import { EXPEDITED_POLICY, type ExpeditedPolicy } from '../products/expedited.ts';
import {
  type Installation,
  type Installations,
  withoutRepeatedInstallations,
} from '../products/installations.ts';
import type { ListAgeLimits } from '../products/list-age.ts';
import { refuseAbsent, shownPath } from './files.ts';
import { installationsSchema, listColumnsSchema, readinessPolicySchema } from './lists-schema.ts';
import {
  installationsJsonSchema,
  listColumnsJsonSchema,
  readinessPolicyJsonSchema,
} from './schema.ts';
import { validate } from './validate.ts';
import { readYaml, type YamlSource } from './yaml-source.ts';

/** The mapping of each list that the file names. */
export interface ListColumns {
  centralProductsList?: ColumnMapping | undefined;
  eligibleCombinations?: ColumnMapping | undefined;
  pendingCombinations?: ColumnMapping | undefined;
  deviceModelVariations?: ColumnMapping | undefined;
  installations?: ColumnMapping | undefined;
}

/** What a site chose; what it did not is absent. */
export interface ReadinessChoices {
  unknownPathway?: 'warn' | 'refuse';
  noPathway?: 'warn' | 'refuse';
  intermediates?: 'covered' | 'any';
  expedited?: ExpeditedPolicy;
  ages?: ListAgeLimits;
}

/** @throws ConfigError */
export function loadListColumns(path: string): ListColumns {
  return validate(listColumnsSchema, sourceOf(path), listColumnsJsonSchema);
}

/** @throws ConfigError */
export function loadReadinessPolicy(path: string): ReadinessChoices {
  const document = validate(readinessPolicySchema, sourceOf(path), readinessPolicyJsonSchema);
  const { unknownPathway, noPathway, intermediates, expedited, ages } = document;
  return {
    ...(unknownPathway ? { unknownPathway } : {}),
    ...(noPathway ? { noPathway } : {}),
    ...(intermediates ? { intermediates } : {}),
    ...(expedited
      ? {
          expedited: {
            ...EXPEDITED_POLICY,
            ...expedited,
            testOf: expedited.testOf ?? EXPEDITED_POLICY.testOf,
          },
        }
      : {}),
    ...(ages ? { ages } : {}),
  };
}

/** @throws ConfigError */
export function loadYamlInstallations(path: string): Installations {
  const source = sourceOf(path);
  const document = validate(installationsSchema, source, installationsJsonSchema);
  const entries = document.installations.map((one, index): Installation => {
    const { id, provider, cohort, profileDataPush, suppliers, migration } = one;
    const of = (kind: DeviceKind, models: readonly DeviceModel[] = []): CombinationDevice[] =>
      models.map((deviceModel) => ({ kind, deviceModel }));
    return {
      installationId: id,
      provider,
      devices: [
        ...of('communications_hub', [one.communicationsHub]),
        ...of('esme', one.esme),
        ...of('gsme', one.gsme),
        ...of('ppmid', one.ppmid),
      ],
      ...(cohort === undefined ? {} : { cohort }),
      ...(profileDataPush === undefined ? {} : { profileDataPush }),
      suppliers: {
        ...(suppliers?.electricity === undefined ? {} : { electricity: suppliers.electricity }),
        ...(suppliers?.gas === undefined ? {} : { gas: suppliers.gas }),
      },
      ...(migration === undefined ? {} : { migration }),
      line: source.placeOfValue(['installations', index]).line,
    };
  });
  return withoutRepeatedInstallations(entries, []);
}

function sourceOf(path: string): YamlSource {
  const absolute = resolve(path);
  refuseAbsent(absolute);
  return readYaml(absolute, shownPath(absolute));
}
