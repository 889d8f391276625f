/** The files beside a configuration file, and what to say where one is not there. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { nearest } from './nearest.ts';
import { wholeFile } from './yaml-source.ts';

/** Files with rigs that come with Uplift or lie in the working folder; for help texts too. */
export function knownRigs(): string[] {
  const folders = new Set(
    ['../..', '..'].map((up) => join(import.meta.dirname, up, 'hw-config/rigs')),
  );
  folders.add(resolve('hw-config/rigs'));
  return [...folders].flatMap(yamlFilesIn).map(shownPath);
}

/** @throws ConfigError where the path names no file. */
export function refuseAbsent(absolute: string): void {
  const kind = kindOfFile(absolute);
  if (kind === 'folder') {
    throw wholeFile(
      'file-is-folder',
      shownPath(absolute),
      'a YAML file',
      'a folder',
      named('name a file in it', yamlFilesIn(absolute).map(shownPath)),
    );
  }
  if (kind !== 'nothing') return;
  const near = yamlFilesIn(dirname(absolute)).map(shownPath);
  const rigs = [...new Set([...near, ...knownRigs()])];
  const stem = (path: string) => basename(path).replace(/\.ya?ml$/, '');
  const meant = nearest(stem(absolute), rigs.map(stem));
  const match = rigs.find((path) => stem(path) === meant);
  throw wholeFile(
    'file-missing',
    shownPath(absolute),
    'a YAML file',
    'nothing',
    match === undefined ? named('name one of the rigs', rigs) : `did you mean ${match}?`,
  );
}

export function kindOfFile(absolute: string): 'file' | 'folder' | 'something else' | 'nothing' {
  try {
    const status = statSync(absolute);
    if (status.isFile()) return 'file';
    return status.isDirectory() ? 'folder' : 'something else';
  } catch {
    return 'nothing';
  }
}

export function inFolder(absolute: string): string | undefined {
  const folder = dirname(absolute);
  if (!existsSync(folder)) return `there is no folder ${shownPath(folder)}`;
  const meant = nearest(basename(absolute), filesIn(folder));
  return meant === undefined ? undefined : `did you mean "${meant}"?`;
}

function named(what: string, names: readonly string[]): string {
  const shown = names.slice(0, 20).join(', ');
  return names.length === 0 ? 'there is none here' : `${what}: ${shown}`;
}

function yamlFilesIn(folder: string): string[] {
  return filesIn(folder)
    .filter((name) => /\.ya?ml$/.test(name))
    .map((name) => join(folder, name));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

/** Relative to the working folder where it lies in it. */
export function shownPath(absolute: string): string {
  const fromHere = relative(process.cwd(), absolute);
  return fromHere === '' || fromHere.startsWith('..') ? absolute : fromHere;
}
