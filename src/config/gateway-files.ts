/**
 * The files and folders that a gateway's configuration names: are they there, may they be read, and may
 * others change what decisions are made on or read what nobody but the service may.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigCode, Problem } from './codes.ts';
import { problemAt } from './explain.ts';
import { inFolder, kindOfFile, shownPath } from './files.ts';
import type { Rig } from './schema.ts';
import type { KeyPath, YamlSource } from './yaml-source.ts';

/** Any permission of others, or to write of the group. */
const SECRET_MODE_REFUSED = 0o027;
const WRITABLE_BY_OTHERS = 0o002;
/** Of a folder: only who made a file in it may replace it. */
const STICKY = 0o1000;
const CREDENTIALS = '$CREDENTIALS_DIRECTORY/';

/** What the service manager says by its environment. */
export type ServiceEnvironment = Readonly<Record<string, string | undefined>>;

export interface GatewayFilesOptions {
  path: string;
  source: YamlSource;
  environment: ServiceEnvironment;
  problems: Problem[];
  warnings: Problem[];
}

export class GatewayFiles {
  private readonly options: GatewayFilesOptions;

  constructor(options: GatewayFilesOptions) {
    this.options = options;
  }

  /** Relative paths count from the configuration. */
  absolute(written: string): string {
    return resolve(dirname(this.options.path), written);
  }

  checkItself(): void {
    this.refuseWritable(this.options.path, []);
  }

  optionalInput(written: string | undefined, path: KeyPath): string | undefined {
    return written === undefined ? undefined : this.input(written, path);
  }

  /** A file that is read: its absolute path, undefined where it has a problem. */
  input(
    written: string,
    path: KeyPath,
    missing: 'rig-missing' | 'input-missing' = 'input-missing',
  ): string | undefined {
    const absolute = this.absolute(written);
    const kind = kindOfFile(absolute);
    if (kind !== 'file') {
      const found = `${kind} at ${shownPath(absolute)}`;
      this.add(
        missing,
        path,
        'the path of a file, relative to this one',
        found,
        inFolder(absolute),
      );
      return undefined;
    }
    return this.readable(absolute, path) ? absolute : undefined;
  }

  optionalFileOrFolder(written: string | undefined, path: KeyPath): string | undefined {
    if (written === undefined) return undefined;
    const absolute = this.absolute(written);
    const kind = kindOfFile(absolute);
    if (kind !== 'folder' && kind !== 'file') {
      const found = `${kind} at ${shownPath(absolute)}`;
      const expected = 'the path of a folder or a document, relative to this file';
      this.add('input-missing', path, expected, found);
      return undefined;
    }
    return this.readable(absolute, path) ? absolute : undefined;
  }

  /** The file of a secret. What is written may be the secret itself, so it is not repeated. */
  secret(written: string, path: KeyPath): string | undefined {
    const absolute = this.credential(written, path);
    if (absolute === undefined) return undefined;
    if (kindOfFile(absolute) !== 'file' || !may(absolute, constants.R_OK)) {
      const found = 'no file at that path, or one that may not be read';
      const next = 'name the file of the secret; the secret itself never stands here';
      this.add('secret-missing', path, 'the path of a file that can be read', found, next);
      return undefined;
    }
    const mode = statSync(absolute).mode & 0o777;
    if ((mode & SECRET_MODE_REFUSED) !== 0) {
      const found = `mode ${octal(mode)}`;
      const next = `chmod 0640 ${shownPath(absolute)}, or 0600`;
      const expected = 'a file that others may not read and only its owner may change';
      this.add('secret-exposed', path, expected, found, next);
    }
    return absolute;
  }

  /** A folder that the service writes to, made by it where it is not there yet. */
  folderToWrite(written: string, path: KeyPath): string {
    const absolute = this.absolute(written);
    this.warnUnwritable(absolute, path);
    return absolute;
  }

  /** What a rig needs that may come and go, or be another user's. */
  checkRig(rig: Rig, path: KeyPath): void {
    const ports = [
      ...rig.coordinators.map(({ id, port, virtual }) => ({ id, port, virtual })),
      ...rig.hubs.map(({ id, port, virtual }) => ({ id, port, virtual })),
    ];
    for (const { id, port, virtual } of ports) {
      // Other kinds are looked for when they are opened.
      if (virtual !== undefined || !port.startsWith('/') || existsSync(port)) continue;
      const found = `nothing at ${port}`;
      this.warn('port-absent', path, `the port of ${id} of the rig ${rig.id}`, found);
    }
    this.warnUnwritable(rig.stateFolder, path);
  }

  private credential(written: string, path: KeyPath): string | undefined {
    if (!written.startsWith(CREDENTIALS)) return this.absolute(written);
    const folder = this.options.environment['CREDENTIALS_DIRECTORY'];
    if (folder) return resolve(folder, written.slice(CREDENTIALS.length));
    const expected = 'credentials of a service manager (LoadCredential=)';
    this.add('credentials-unset', path, expected, 'no $CREDENTIALS_DIRECTORY');
    return undefined;
  }

  private readable(absolute: string, path: KeyPath): boolean {
    if (!may(absolute, constants.R_OK)) {
      const found = `no permission for ${shownPath(absolute)}`;
      this.add('input-unreadable', path, 'a file or folder that can be read', found);
      return false;
    }
    this.refuseWritable(absolute, path);
    return true;
  }

  private refuseWritable(absolute: string, path: KeyPath): void {
    const { mode } = statSync(absolute);
    const isShared = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
    if (!isShared) return;
    const next = `chmod o-w ${shownPath(absolute)}`;
    const found = `mode ${octal(mode & 0o7777)}`;
    this.add('input-writable', path, 'what only its owner may change', found, next);
  }

  private warnUnwritable(absolute: string, path: KeyPath): void {
    let nearest = absolute;
    while (!existsSync(nearest)) nearest = dirname(nearest);
    if (kindOfFile(nearest) === 'folder' && may(nearest, constants.W_OK | constants.X_OK)) return;
    const found = `none that this user may write: ${shownPath(nearest)}`;
    const next = 'check it as the user of the service';
    this.warn('folder-unwritable', path, `the folder ${shownPath(absolute)}`, found, next);
  }

  private add(
    code: ConfigCode,
    path: KeyPath,
    expected: string,
    found: string,
    next?: string,
  ): void {
    const { problems, source } = this.options;
    problems.push(problemAt(source, path, { code, expected, found, next }));
  }

  private warn(
    code: ConfigCode,
    path: KeyPath,
    expected: string,
    found: string,
    next?: string,
  ): void {
    const { warnings, source } = this.options;
    warnings.push(problemAt(source, path, { code, expected, found, next }));
  }
}

function may(path: string, what: number): boolean {
  try {
    accessSync(path, what);
    return true;
  } catch {
    return false;
  }
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
