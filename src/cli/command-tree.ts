/**
 * The commands as data: what is completed in a shell and what stands in the man pages comes from the very tree that
 * reads the command line, so that nothing is written twice. Hidden commands are not in it.
 */
import type { Command } from 'commander';
import { INTAKES } from '../admission/context.ts';
import { ROLES } from '../config/gateway-schema.ts';
import { IMAGE_PROFILES } from '../image/gb-upgrade.ts';
import { SHELLS } from './completion-kinds.ts';
import { LIST_KINDS } from './list-kinds.ts';

/** What may stand in a place. */
export type Value =
  | { kind: 'text' | 'file' | 'devices' | 'jobs' }
  | { kind: 'choice'; choices: readonly string[] };

export interface OptionEntry {
  /** `--device <id...>`. */
  flags: string;
  long: string;
  short: string | undefined;
  description: string;
  isRequired: boolean;
  defaultText: string | undefined;
  /** Undefined where none follows. */
  value: Value | undefined;
  takesSeveral: boolean;
}

export interface CommandEntry {
  /** Of the words after `uplift`; empty for the program itself. */
  path: readonly string[];
  /** `<image>`, `[options] <job>`. */
  usage: string;
  description: string;
  examples: readonly string[];
  options: readonly OptionEntry[];
  values: readonly Value[];
  /** Names of those beneath it. */
  commands: readonly { name: string; description: string }[];
}

const IMAGE_PROFILE_IDS = Object.keys(IMAGE_PROFILES);
const HUB_IMAGE_FORMATS = ['mcuboot', 'gbl', 'ebl'];

/** Where few words fit: by command and option, or by option wherever it stands. */
export const CHOICES: Readonly<Record<string, readonly string[]>> = {
  '--intake': INTAKES,
  '--activate': ['now', 'held'],
  'inspect --profile': IMAGE_PROFILE_IDS,
  'verify --profile': [...IMAGE_PROFILE_IDS, ...HUB_IMAGE_FORMATS],
  'lists lint --kind': LIST_KINDS,
  'api token --role': ROLES,
  'campaign sign --as': ['author', 'approver'],
  'campaign sign --sign-input': ['document', 'sha256'],
  'duis sign --counter': ['now', 'keep'],
  'fleet openapi --of': ['operators', 'gateways'],
  'duis make <service>': ['11.1', '11.2', '11.3', '11.4'],
  '<shell>': SHELLS,
};

const FILES = /^(file|path|folder|image|installations)\b/;

/** From the program down, each command before those beneath it. */
export function commandTree(program: Command): CommandEntry[] {
  return entriesBelow(program, []);
}

function entriesBelow(command: Command, path: readonly string[]): CommandEntry[] {
  const shown = command.createHelp().visibleCommands(command);
  const below = shown.filter((one) => one.name() !== 'help');
  const entry: CommandEntry = {
    path,
    usage: command.usage(),
    description: command.description(),
    examples: examplesOf(command),
    options: optionsOf(command, path),
    values: command.registeredArguments.map((one) => argumentValue(one.name(), path)),
    commands: below.map((one) => ({ name: one.name(), description: one.description() })),
  };
  return [entry, ...below.flatMap((one) => entriesBelow(one, [...path, one.name()]))];
}

function optionsOf(command: Command, path: readonly string[]): OptionEntry[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => {
      const { flags, long, short, description, mandatory, defaultValue, variadic } = option;
      const takes = /[<[]([^>\]]+)[>\]]/.exec(flags)?.[1];
      const isSaid = typeof defaultValue === 'string' && defaultValue !== '';
      return {
        flags,
        long: long!,
        short: short ?? undefined,
        description,
        isRequired: mandatory,
        defaultText: isSaid ? defaultValue : undefined,
        value: takes === undefined ? undefined : optionValue(long!, takes, path),
        takesSeveral: variadic,
      };
    });
}

function optionValue(long: string, takes: string, path: readonly string[]): Value {
  const choices = CHOICES[`${path.join(' ')} ${long}`] ?? CHOICES[long];
  if (choices) return { kind: 'choice', choices };
  if (long === '--device' && path[0] !== 'fleet' && path[0] !== 'duis') return { kind: 'devices' };
  return { kind: FILES.test(takes) ? 'file' : 'text' };
}

function argumentValue(name: string, path: readonly string[]): Value {
  const choices = CHOICES[`${path.join(' ')} <${name}>`] ?? CHOICES[`<${name}>`];
  if (choices) return { kind: 'choice', choices };
  if (name === 'job') return { kind: 'jobs' };
  if (name === 'device' && path[0] === 'device') return { kind: 'devices' };
  return { kind: FILES.test(name) ? 'file' : 'text' };
}

/** As `--help` ends with them. */
function examplesOf(command: Command): string[] {
  let help = '';
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (text) => (help += text) });
  command.outputHelp();
  command.configureOutput(output);
  const found = /\nExample:\n((?: {2}.*\n)+)/.exec(help)?.[1] ?? '';
  return found
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}
