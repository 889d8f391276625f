/** What the configurations of our services have in common, after every check: folders, and their API. */
import { resolve } from 'node:path';
import type { ApiDocument, Role } from './api-schema.ts';
import { ConfigError, type Problem } from './codes.ts';
import { problemAt } from './explain.ts';
import type { GatewayFiles, ServiceEnvironment } from './gateway-files.ts';
import type { MetricsDocument } from './metrics-schema.ts';
import type { ListenAddress } from './network-fields.ts';
import { loadTokens } from './tokens.ts';
import type { KeyPath, YamlSource } from './yaml-source.ts';

/** `sun_path` of a Unix socket on Linux, without its closing zero. */
const SOCKET_PATH_BYTES_MAX = 107;
const METRICS_LISTEN: ListenAddress = { host: '127.0.0.1', port: 9464 };

export interface ApiTcp {
  listen: ListenAddress;
  tls: { certificateFile: string; keyFile: string; clientCaFile: string | undefined } | undefined;
  tokensFile: string | undefined;
  /** By the common name or a DNS name of their certificate. */
  clients: { name: string; role: Role }[];
}

export interface ApiConfig {
  socket: { path: string; mode: number; role: Role; tokensFile?: string };
  tcp: ApiTcp | undefined;
}

export interface MetricsConfig {
  serve: MetricsDocument['serve'];
  /** Of the listener, where there is one. */
  listen: ListenAddress | undefined;
}

export interface ServicePartsOptions {
  source: YamlSource;
  environment: ServiceEnvironment;
  problems: Problem[];
  files: GatewayFiles;
}

export class ServiceParts {
  private readonly options: ServicePartsOptions;

  constructor(options: ServicePartsOptions) {
    this.options = options;
  }

  /** @param section the key that has `stateDirectory` below it */
  stateFolder(
    section: string,
    { stateDirectory }: { stateDirectory?: string | undefined },
  ): string {
    const { environment, problems, source, files } = this.options;
    // Several may be set, with colons between: the first is the service's own.
    const given = environment['STATE_DIRECTORY']?.split(':')[0];
    const path = [section, 'stateDirectory'];
    if (stateDirectory === undefined && (given === undefined || given === '')) {
      problems.push(
        problemAt(source, path, {
          code: 'key-missing',
          expected: 'the folder of its state, or $STATE_DIRECTORY as a service manager sets it',
          found: 'neither',
          next: 'add the key "stateDirectory", or start it by its unit',
        }),
      );
      return '';
    }
    return files.folderToWrite(stateDirectory ?? given!, path);
  }

  runtimeFolder(
    section: string,
    { runtimeDirectory }: { runtimeDirectory?: string | undefined },
    stateFolder: string,
  ): string {
    const given = this.options.environment['RUNTIME_DIRECTORY']?.split(':')[0];
    if (runtimeDirectory === undefined && !given) return resolve(stateFolder, 'run');
    const path = [section, 'runtimeDirectory'];
    return this.options.files.folderToWrite(runtimeDirectory ?? given!, path);
  }

  /** @param defaultSocket where the socket is, if the document does not say */
  api({ socket, tcp }: ApiDocument, defaultSocket: string): ApiConfig {
    const path = this.options.files.absolute(socket.path ?? defaultSocket);
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) {
      const found = `${Buffer.byteLength(path)} bytes`;
      const expected = `a path of at most ${SOCKET_PATH_BYTES_MAX} bytes`;
      this.add('socket-path-long', ['api', 'socket', 'path'], expected, found);
    }
    const { mode, role, tokensFile } = socket;
    const tokens = this.tokens(tokensFile, ['api', 'socket', 'tokensFile']);
    return {
      socket: {
        ...{ path, mode: Number.parseInt(mode, 8), role },
        ...(tokens === undefined ? {} : { tokensFile: tokens }),
      },
      tcp: tcp && this.apiTcp(tcp),
    };
  }

  metrics({ serve, listen }: MetricsDocument, { tcp }: ApiDocument): MetricsConfig {
    const address = serve === 'listener' ? (listen ?? METRICS_LISTEN) : undefined;
    const other = tcp?.listen;
    if (address && other && address.port !== 0 && address.port === other.port) {
      const found = `${address.port}, which api.tcp listens on`;
      this.add('port-shared', ['metrics', 'listen'], 'a port of its own', found);
    }
    return { serve, listen: address };
  }

  /** What is read from a file of its own, whose problems are told below the key that names it. */
  nested<T>(path: KeyPath, code: 'rig-wrong' | 'input-wrong', load: () => T): T | undefined {
    try {
      return load();
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause;
      const found = `one with ${cause.problems.length} wrong, told below`;
      this.add(code, path, 'a correct file', found);
      this.options.problems.push(...cause.problems);
      return undefined;
    }
  }

  add(code: Problem['code'], path: KeyPath, expected: string, found: string): void {
    const { source, problems } = this.options;
    problems.push(problemAt(source, path, { code, expected, found }));
  }

  private apiTcp({ tls, tokensFile, ...tcp }: NonNullable<ApiDocument['tcp']>): ApiTcp {
    const { files } = this.options;
    const at = ['api', 'tcp', 'tls'];
    return {
      ...tcp,
      tokensFile: this.tokens(tokensFile, ['api', 'tcp', 'tokensFile']),
      tls: tls && {
        certificateFile: files.input(tls.certificateFile, [...at, 'certificateFile']) ?? '',
        keyFile: files.secret(tls.keyFile, [...at, 'keyFile']) ?? '',
        clientCaFile: files.optionalInput(tls.clientCaFile, [...at, 'clientCaFile']),
      },
    };
  }

  private tokens(written: string | undefined, at: KeyPath): string | undefined {
    const path = written === undefined ? undefined : this.options.files.secret(written, at);
    if (path !== undefined) this.nested(at, 'input-wrong', () => loadTokens(path));
    return path;
  }
}
