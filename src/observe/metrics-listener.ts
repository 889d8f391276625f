/**
 * Metrics for a scraper on this machine, on a port of their own: nobody is asked who they are, so the
 * configuration takes loopback addresses alone.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT, UpliftError } from '../errors.ts';
import type { PageText } from './registry.ts';

export interface MetricsListener {
  port: number;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 16;
const REQUEST_MS = 5_000;

/** @throws UpliftError */
export async function listenForMetrics(
  { host, port }: { host: string; port: number },
  metrics: PageText,
): Promise<MetricsListener> {
  const server = createServer(
    { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS },
    (request, response) => {
      const { method, url } = request;
      if (url !== '/metrics' || (method !== 'GET' && method !== 'HEAD')) {
        response.writeHead(url === '/metrics' ? 405 : 404).end();
        return;
      }
      void metrics.text().then((text) => {
        response.writeHead(200, { 'content-type': metrics.contentType });
        response.end(method === 'HEAD' ? undefined : text);
      });
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((done, failed) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      failed(
        new UpliftError('listen-failed', `metrics cannot listen on ${host}:${port}`, {
          expected: 'a port of its own',
          actual: cause.code ?? cause.message,
          next: 'stop who has it, or name another in metrics.listen',
          exit: EXIT.notReachable,
          cause,
        }),
      ),
    );
    server.listen({ host, port }, done);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
