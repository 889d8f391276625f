/**
 * Connections to one coordinator: TLS with the gateway's certificate, kept alive, and given out only when
 * the other end has proved to be the coordinator. So not one byte of a request, a token least of all, is
 * sent to anybody else.
 *
 * Sessions are not resumed: every connection shows both certificates anew.
 */
import type { ClientRequestArgs } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';

export interface TlsTrust {
  keyPem: string;
  certificatePem: string;
  /** Absent: the CAs that the system trusts. */
  caPem?: string | undefined;
  /**
   * SHA-256 of the server's certificate in DER, 64 lower-case digits. Without CAs it is all the proof there
   * has to be, whatever name and dates the certificate has.
   */
  serverCertificate?: string | undefined;
}

/** The certificate is the coordinator's, or it is not spoken to. */
export class UntrustedServerError extends Error {}

/** Several errands at once, and one more for a blob. */
const SOCKETS_MAX = 4;
const VERIFY_FAILED =
  /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|HOSTNAME_|PATH_LENGTH_|ERROR_IN_CERT)/;

export class ClientAgent extends https.Agent {
  private readonly trust: TlsTrust;
  private readonly connectMs: number;
  /** Not given out yet. */
  private readonly connecting = new Set<tls.TLSSocket>();

  constructor(trust: TlsTrust, connectMs: number) {
    super({
      keepAlive: true,
      maxSockets: SOCKETS_MAX,
      maxFreeSockets: SOCKETS_MAX,
      maxCachedSessions: 0,
      scheduling: 'lifo',
    });
    this.trust = trust;
    this.connectMs = connectMs;
  }

  override destroy(): void {
    for (const socket of this.connecting) socket.destroy();
    super.destroy();
  }

  override createConnection(
    options: ClientRequestArgs,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const { keyPem, certificatePem, caPem, serverCertificate } = this.trust;
    const isPinnedAlone = serverCertificate !== undefined && caPem === undefined;
    const socket = tls.connect({
      ...(options as tls.ConnectionOptions),
      key: keyPem,
      cert: certificatePem,
      ...(caPem === undefined ? {} : { ca: caPem }),
      minVersion: 'TLSv1.2',
      rejectUnauthorized: !isPinnedAlone,
    });
    this.connecting.add(socket);
    const settle = (error: Error | null) => {
      if (!this.connecting.delete(socket)) return;
      clearTimeout(limit);
      if (error) socket.destroy();
      done?.(error, socket);
    };
    const limit = setTimeout(() => settle(timedOut()), this.connectMs);
    socket.on('error', (error) => settle(asRefusal(error)));
    socket.once('close', () => settle(asRefusal(new Error('it hung up'))));
    socket.once('secureConnect', () => {
      const found = socket.getPeerX509Certificate()?.fingerprint256.replaceAll(':', '');
      const isIt = serverCertificate === undefined || found?.toLowerCase() === serverCertificate;
      settle(isIt ? null : new UntrustedServerError('its certificate is not the pinned one'));
    });
  }
}

function timedOut(): Error {
  return Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' });
}

function asRefusal(error: NodeJS.ErrnoException): Error {
  if (!VERIFY_FAILED.test(error.code ?? '')) return error;
  return new UntrustedServerError(error.code, { cause: error });
}
