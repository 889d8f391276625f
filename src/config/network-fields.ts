/** Kinds of value about a network: where something listens, whom it is asked by, and files of secrets. */
import { isIPv4 } from 'node:net';
import { path, z } from './fields.ts';

/** Of a secret; what stands there instead may be the secret itself, so no message repeats it. */
export const secretFile = path.describe(
  'A file that only the service may read, relative to this one; $CREDENTIALS_DIRECTORY/NAME is a ' +
    'credential of the service manager.',
);

/** A certificate and its key. */
export const fileIdentity = z.strictObject({
  certificateFile: path.describe('The certificate and those above it (PEM).'),
  keyFile: secretFile,
});

/** Over https; in the clear, where that is allowed at all, only to this machine. */
export function isAddress(written: string, allowsHere: boolean): boolean {
  if (!URL.canParse(written)) return false;
  const { protocol, hostname, username, password, hash } = new URL(written);
  if (username !== '' || password !== '' || hash !== '') return false;
  const isHere = isLoopback(hostname.replace(/^\[|\]$/g, ''));
  return protocol === 'https:' || (allowsHere && protocol === 'http:' && isHere);
}

const LISTEN = 'an address and a port, such as 127.0.0.1:8460 or [::1]:8460';
export const listen = z.string(LISTEN).transform((written, context): ListenAddress => {
  const [, bracketed, plain, digits] =
    /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/.exec(written) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    context.addIssue(LISTEN);
    return z.NEVER;
  }
  return { host: bracketed ?? plain!, port };
});

export interface ListenAddress {
  host: string;
  /** 0: any that is free. */
  port: number;
}

/** Whether nobody but this machine reaches it. A name counts only if it is the one that always means it. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return host.startsWith('127.');
  return host === '::1' || host === 'localhost';
}
