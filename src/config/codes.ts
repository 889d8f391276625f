/**
 * What can be wrong with a configuration file. Codes are never reused.
 *
 * A wrong file throws one `ConfigError`: an UpliftError that carries every problem found; its code
 * is the first one's.
 */
import { EXIT, UpliftError } from '../errors.ts';

const FILE_CODES = {
  'file-missing': 'There is no such file.',
  'file-is-folder': 'The path names a folder.',
  'file-unreadable': 'The file cannot be read, or is no regular file.',
  'file-too-large': 'The file is larger than a configuration file is allowed to be.',
  'file-empty': 'The file says nothing.',
  'file-not-text': 'The file is not UTF-8 text.',
  'file-other-kind': 'The file is a rig, or a model, where another kind is wanted.',
  'yaml-syntax': 'The file is not well-formed YAML.',
  'yaml-tab': 'A tab stands where YAML wants blanks.',
  'yaml-duplicate-key': 'A key stands twice in one mapping.',
  'yaml-several-documents': 'The file holds more than one YAML document.',
  'yaml-version': 'The file asks for another version of YAML.',
  'yaml-alias-unknown': 'An alias names an anchor that is not set before it.',
  'yaml-alias-limit': 'The aliases unfold into more than they are allowed to.',
  'yaml-depth-limit': 'The file nests too deep.',
  'yaml-tag-unknown': 'A tag is not known.',
  'yaml-key-not-text': 'A key is an alias, a list or a mapping.',
  'key-unknown': 'The key is not known where it stands.',
  'key-missing': 'A key that must be there is not.',
  'value-wrong': 'The value is of the wrong kind, form or range.',
  'value-unquoted': 'Text stands without quotes and YAML reads it as something else.',
  'coordinator-unknown': 'A device names a coordinator that the rig does not have.',
  'coordinator-not-virtual': 'A virtual device is on a coordinator that is not virtual.',
  'adapter-not-virtual': 'A virtual coordinator speaks the protocol of another adapter.',
  'id-duplicate': 'Two devices, or two coordinators, have one id.',
  'eui64-duplicate': 'Two devices have one EUI-64.',
  'serial-number-duplicate': 'Two hubs have one serial number.',
  'eui64-overflow': 'Counting EUI-64s up leaves their range.',
  'port-shared': 'Two coordinators or hubs are on one port.',
  'port-not-virtual': 'A virtual device is on a port that only real hardware has.',
  'power-not-virtual': 'A virtual supply or button is of a device that is not virtual.',
  'device-kind-unclear': 'A device has both a coordinator and a port, or neither.',
  'protocol-other': 'Settings are of a protocol that the model does not speak.',
  'devices-too-many': 'The rig has more devices than a rig is allowed to have.',
  'model-missing': 'The model file is not there.',
  'model-wrong': 'The model file has problems of its own.',
  'firmware-missing': 'The firmware file is not there.',
  'products-list-missing': 'The Central Products List is not there.',
  'trust-anchors-missing': 'The trust anchors are not there.',
  'admission-file-missing': 'A file that decisions rest on is not there.',
} as const;

/** Of the configuration of the gateway service. */
export const GATEWAY_CODES = {
  'rig-missing': 'The rig file is not there.',
  'rig-wrong': 'The rig file has problems of its own.',
  'input-missing': 'A file or folder that is named is not there.',
  'input-unreadable': 'A file or folder that is named cannot be read.',
  'input-wrong': 'A file that is named has problems of its own.',
  'input-writable': 'Anybody may change a file that decisions are made on.',
  'secret-missing': 'The file of a secret is not there, or cannot be read.',
  'secret-exposed': 'Others than the service may read or change the file of a secret.',
  'credentials-unset': 'A credential is named and the service manager has given none.',
  'tokens-wrong': 'A line of the file of tokens is none.',
  'listen-unprotected': 'An address that others reach would be served without protection.',
  'listen-unauthenticated': 'An address would be served to whoever reaches it.',
  'clients-unverified': 'Clients are named and nothing says who signs their certificates.',
  'socket-path-long': 'The path of a socket is longer than the system takes.',
  'port-absent': 'A port of a rig is not there now.',
  'folder-unwritable': 'A folder for state cannot be written by whoever asks.',
} as const;

/** Of scenarios. */
export const SCENARIO_CODES = {
  'step-unclear': 'A step says nothing to do, or several things.',
  'variable-unknown': 'A value names a variable that the file does not have.',
  'matrix-size': 'The matrix has no combination, or too many.',
  'role-unknown': 'A step names a part that the scenario does not have.',
  'reading-unknown': 'An assertion names a reading that no step before it took.',
  'image-missing': 'The image is not there.',
} as const;

export const CONFIG_CODES = { ...FILE_CODES, ...GATEWAY_CODES, ...SCENARIO_CODES };

export type ConfigCode = keyof typeof CONFIG_CODES;

export interface Problem {
  code: ConfigCode;
  /** As shown to the reader. */
  file: string;
  /** Both from 1; absent where the problem is the file as a whole. */
  line?: number;
  column?: number;
  /** Such as `devices[0].virtual.count`; empty for the document. */
  key: string;
  expected: string;
  found: string;
  /** What to do about it. */
  next?: string;
}

/** Lines of a message; a file with more problems is the wrong file. */
const TOLD_MAX = 100;

export class ConfigError extends UpliftError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly [Problem, ...Problem[]]) {
    const [first] = problems;
    const lines = problems.slice(0, TOLD_MAX).map(describeProblem);
    if (problems.length > TOLD_MAX) lines.push(`and ${problems.length - TOLD_MAX} more`);
    super(first.code, lines.join('\n'), { exit: EXIT.usage });
    this.problems = problems;
  }
}

/** `file:line:column: key: expected ..., found ...; what to do`. */
export function describeProblem(problem: Problem): string {
  const { file, line, column, key, expected, found, next } = problem;
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  const subject = key === '' ? '' : ` ${key}:`;
  return `${place}:${subject} expected ${expected}, found ${found}${next ? `; ${next}` : ''}`;
}
