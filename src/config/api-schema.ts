/** Where a service of ours is asked by people and programs, and who may: a section of its configuration. */
import type { ConfigCode } from './codes.ts';
import { matching, path, text, z } from './fields.ts';
import { isLoopback, listen, secretFile } from './network-fields.ts';

export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** An API that is reached over a network takes no more than these. */
const CLIENTS_MAX = 1_000;

const role = z.enum(ROLES);

const MODE = 'a mode such as "0660", in quotes, with nothing for others';

const socket = z.strictObject({
  path: path.optional().describe('Default: uplift.sock in the runtime directory.'),
  mode: matching(/^0?[0-7]{2}0$/, MODE).default('0660'),
  role: role.default('admin').describe('Of whoever may open it.'),
  tokensFile: secretFile
    .optional()
    .describe('Who says a token over the socket is its holder, and not just somebody local.'),
});

const tls = z.strictObject({
  certificateFile: path.describe('The certificate and those above it (PEM).'),
  keyFile: secretFile,
  clientCaFile: path.optional().describe('Who signs the certificates of clients (PEM).'),
});

const client = z.strictObject({
  name: text(1, 253).describe('The common name, or a DNS name, of the certificate.'),
  role,
});

const tcp = z
  .strictObject({
    listen: listen.prefault('127.0.0.1:8460').describe('Default 127.0.0.1:8460; port 0: any free.'),
    tls: tls.optional(),
    tokensFile: secretFile.optional(),
    clients: z
      .array(client)
      .max(CLIENTS_MAX, `at most ${CLIENTS_MAX} clients`)
      .default([])
      .describe('What the holders of client certificates may do; others may do nothing.'),
  })
  .superRefine(({ listen: { host }, tls: secured, tokensFile, clients }, context) => {
    const refuse = (code: ConfigCode, at: string, message: string, found: string) =>
      context.addIssue({ code: 'custom', message, path: [at], params: { code, found } });
    if (secured === undefined && !isLoopback(host)) {
      const found = `${host} without api.tcp.tls`;
      refuse('listen-unprotected', 'listen', 'a loopback address, or tls beside it', found);
    }
    if (clients.length > 0 && secured?.clientCaFile === undefined) {
      const found = 'clients without it';
      refuse('clients-unverified', 'clients', 'tls.clientCaFile, which they are held to', found);
    }
    const names = clients.map(({ name }) => name);
    const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
    if (twice >= 0) refuse('id-duplicate', 'clients', 'each name once', names[twice]!);
    if (tokensFile === undefined && clients.length === 0) {
      const message = 'tokensFile or clients: whoever reaches a port has to say who they are';
      refuse('listen-unauthenticated', 'listen', message, 'neither');
    }
  });

export const api = z.strictObject({
  socket: socket.prefault({}),
  tcp: tcp.optional().describe('Absent: no port is opened.'),
});

export type ApiDocument = z.output<typeof api>;
