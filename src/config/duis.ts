/** The section `duis` of the gateway's configuration after every check: paths absolute, files there. */
import type { DuisDocument } from './duis-schema.ts';
import type { GatewayFiles } from './gateway-files.ts';
import type { ListenAddress } from './network-fields.ts';
import type { KeyPath } from './yaml-source.ts';

export interface FileIdentity {
  certificateFile: string;
  keyFile: string;
}

export interface DuisEndpoint {
  url: string;
  caFile: string | undefined;
  client: FileIdentity | undefined;
}

export interface DuisUser extends Omit<DuisDocument['users'][number], 'endpoint'> {
  endpoint: DuisEndpoint | undefined;
}

export interface DuisConfig extends Omit<DuisDocument, 'tls' | 'signing' | 'users' | 'listen'> {
  listen: ListenAddress;
  tls: FileIdentity & { clientCaFile: string };
  signing: FileIdentity;
  users: DuisUser[];
}

export function duisConfig(document: DuisDocument, files: GatewayFiles): DuisConfig {
  const identity = (
    { certificateFile, keyFile }: DuisDocument['signing'],
    at: KeyPath,
  ): FileIdentity => ({
    certificateFile: files.input(certificateFile, [...at, 'certificateFile']) ?? '',
    keyFile: files.secret(keyFile, [...at, 'keyFile']) ?? '',
  });
  const { tls } = document;
  const tlsAt = ['duis', 'tls'];
  return {
    ...document,
    tls: {
      ...identity(tls, tlsAt),
      clientCaFile: files.input(tls.clientCaFile, [...tlsAt, 'clientCaFile']) ?? '',
    },
    signing: identity(document.signing, ['duis', 'signing']),
    users: document.users.map((user, index) => {
      const at = ['duis', 'users', index];
      const { endpoint } = user;
      return {
        ...user,
        certificates: user.certificates.flatMap(
          (path, place) => files.input(path, [...at, 'certificates', place]) ?? [],
        ),
        endpoint: endpoint && {
          url: endpoint.url,
          caFile: files.optionalInput(endpoint.caFile, [...at, 'endpoint', 'caFile']),
          client: endpoint.client && identity(endpoint.client, [...at, 'endpoint', 'client']),
        },
      };
    }),
  };
}
