/**
 * The file of the API's tokens: a line a token, with the role and the name of whoever holds it, and never
 * the token itself but its SHA-256. Who reads the file learns no token.
 *
 *     # role   name        SHA-256 of the token
 *     operator night-shift sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
 *     viewer   visitor     sha256:c2f3…eedd until:2027-01-31
 *
 * A token is random, so its hash needs no salt and no stretching. `uplift api token` makes one, with its
 * line; `printf %s "$token" | sha256sum` is its hash.
 */
import { readFileSync } from 'node:fs';
import { ConfigError, type Problem } from './codes.ts';
import { shownPath } from './files.ts';
import { ROLES, type Role } from './gateway-schema.ts';
import { MOMENT, momentMs } from './moment.ts';
import { nearest } from './nearest.ts';
import { throwAny, wholeFile } from './yaml-source.ts';

const FILE_CHARACTERS_MAX = 1_048_576;

export interface ApiToken {
  role: Role;
  name: string;
  /** Of the token's UTF-8 text, hex. */
  sha256: string;
  /** From then on it is none. */
  untilMs?: number;
}

/** @throws ConfigError, which repeats nothing of the file but names and roles. */
export function loadTokens(path: string): ApiToken[] {
  const file = shownPath(path);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const found = (cause as NodeJS.ErrnoException).code ?? 'nothing';
    throw wholeFile('secret-missing', file, 'a file of tokens that can be read', found);
  }
  if (text.length > FILE_CHARACTERS_MAX)
    throw wholeFile('file-too-large', file, `at most ${FILE_CHARACTERS_MAX} bytes`, 'more');
  const problems: Problem[] = [];
  const tokens: ApiToken[] = [];
  text.split('\n').forEach((written, index) => {
    const line = written.trim();
    if (line === '' || line.startsWith('#')) return;
    const parsed = parseLine(line, tokens);
    if ('sha256' in parsed) tokens.push(parsed);
    else problems.push({ code: 'tokens-wrong', file, line: index + 1, column: 1, ...parsed });
  });
  throwAny(problems);
  if (tokens.length === 0) {
    const next = 'a line is: ROLE NAME sha256:HASH';
    throw new ConfigError([
      { code: 'tokens-wrong', file, key: '', expected: 'a token', found: 'none', next },
    ]);
  }
  return tokens;
}

function parseLine(
  line: string,
  before: readonly ApiToken[],
): ApiToken | Pick<Problem, 'key' | 'expected' | 'found' | 'next'> {
  const words = line.split(/\s+/);
  const [role, name, hash, until] = words;
  if (words.length !== 3 && words.length !== 4) {
    const found = `${words.length} words`;
    const expected = 'three words: role, name, sha256:HASH; and until:TIME where it ends';
    return { key: '', expected, found };
  }
  if (!isRole(role!)) {
    const meant = nearest(role!, [...ROLES]);
    const wrong = { key: 'role', expected: `one of ${ROLES.join(', ')}`, found: 'another word' };
    return meant === undefined ? wrong : { ...wrong, next: `did you mean "${meant}"?` };
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$/.test(name!)) {
    const expected = 'letters, digits, @ . _ and -, 64 at the most';
    return { key: 'name', expected, found: 'others' };
  }
  const [, sha256] = /^sha256:([0-9a-f]{64})$/.exec(hash!) ?? [];
  if (sha256 === undefined) {
    const expected = 'sha256: and 64 lower-case hexadecimal digits';
    const next = 'write the SHA-256 of the token, never the token: printf %s "$token" | sha256sum';
    return { key: 'hash', expected, found: `${hash!.length} characters that are none`, next };
  }
  if (before.some((token) => token.sha256 === sha256 || token.name === name))
    return { key: 'name', expected: 'a name and a token of its own', found: `${name} twice` };
  if (until === undefined) return { role: role!, name: name!, sha256 };
  const untilMs = until.startsWith('until:') ? momentMs(until.slice('until:'.length)) : undefined;
  if (untilMs !== undefined) return { role: role!, name: name!, sha256, untilMs };
  return { key: 'until', expected: `until: and ${MOMENT}`, found: 'another word' };
}

function isRole(word: string): word is Role {
  return (ROLES as readonly string[]).includes(word);
}
