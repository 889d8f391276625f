/** A server for Service Requests that answers what a test says, and signs it as a gateway does. */
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { signDocument } from '../../src/dcc/service-users.ts';
import { encodeResponse, type MessageContent } from '../../src/duis/response.ts';
import type { RequestId } from '../../src/duis/service-request.ts';
import { loadSigningIdentity } from '../../src/gateway/signing-identity.ts';
import type { DuisSite } from './duis-site.ts';

export interface Answered {
  status: number;
  type: string;
  body: Uint8Array;
}

/** To who shows the certificate of the supplier. */
export async function serveAnswers(site: DuisSite, answer: (id: RequestId) => Answered) {
  const read = (path: string) => readFileSync(path);
  const server = https.createServer(
    {
      cert: read(site.server.certificate),
      key: read(site.server.key),
      ca: read(site.root),
      requestCert: true,
    },
    async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const isKnown = request.socket instanceof TLSSocket && request.socket.authorized;
      const [, text = ''] = /RequestID>([^<]+)</.exec(Buffer.concat(pieces).toString()) ?? [];
      const [originator = '', target = '', counter = '0'] = text.split(':');
      const digits = (eui: string) => eui.replaceAll('-', '').toLowerCase();
      const id = {
        originator: digits(originator),
        target: digits(target),
        counter: BigInt(counter),
      };
      const { status, type, body } = answer(id);
      response.writeHead(isKnown ? status : 401, { 'content-type': type }).end(body);
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}/`, stop: () => server.close() };
}

export function responseTo(
  site: DuisSite,
  requestId: RequestId,
  responseCode: string,
  content?: MessageContent,
): Answered {
  const bytes = encodeResponse({
    schemaVersion: '5.1',
    requestId,
    responseCode,
    respondedMs: Date.now(),
    body: {
      kind: 'message',
      serviceReference: '11.4',
      serviceReferenceVariant: '11.4',
      ...(content ? { content } : {}),
    },
  });
  const { certificate, key } = site.signing;
  const signer = loadSigningIdentity({ certificateFile: certificate, keyFile: key });
  const body = signDocument(new TextDecoder().decode(bytes), signer);
  return { status: 200, type: 'application/xml; charset=utf-8', body };
}
