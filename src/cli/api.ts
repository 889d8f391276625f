/** `uplift api openapi` and `token`. */
import { createHash, randomBytes } from 'node:crypto';
import { openApiOf } from '../api/openapi.ts';
import { ROLES } from '../config/gateway-schema.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { usage, wholeNumber } from './inputs.ts';
import type { Output } from './output.ts';

export interface TokenOptions {
  name: string;
  role: string;
  days?: string;
}

const TOKEN_BYTES = 32;
const DAYS_MAX = 3_650;
const DAY_MS = 86_400_000;

export function showOpenApi(version: string, output: Output): ExitCode {
  const document = openApiOf(version);
  output.result(document, [JSON.stringify(document, undefined, 2)]);
  return EXIT.done;
}

/** The token is shown and kept nowhere: the file of tokens has its hash alone. */
export function createToken({ name, role, days }: TokenOptions, output: Output): ExitCode {
  const isRole = (ROLES as readonly string[]).includes(role);
  if (!isRole) throw usage('--role', ROLES.join(', '), role);
  if (!/^[A-Za-z0-9][A-Za-z0-9@._-]{0,63}$/.test(name)) {
    throw usage('--name', 'letters, digits, @ . _ and -, 64 at the most', name);
  }
  const count = days === undefined ? undefined : wholeNumber(days, '--days');
  if (count !== undefined && (count < 1 || count > DAYS_MAX)) {
    throw usage('--days', `a whole number from 1 to ${DAYS_MAX}`, days!);
  }
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const sha256 = createHash('sha256').update(token).digest('hex');
  const until =
    count === undefined
      ? ''
      : ` until:${new Date(Date.now() + count * DAY_MS).toISOString().slice(0, 19)}Z`;
  const line = `${role} ${name} sha256:${sha256}${until}`;
  output.result({ token, line }, [
    `token  ${token}`,
    '       it is shown this once',
    '',
    'for the file that tokensFile names, in api.tcp or api.socket:',
    line,
  ]);
  return EXIT.done;
}
