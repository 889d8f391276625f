/** A Service User for tests: sends signed requests over mutual TLS, and keeps what arrives at its endpoint. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { encodeRequest } from '../../src/duis/request-text.ts';
import type { RequestBody, ServiceRequest } from '../../src/duis/service-request.ts';
import { loadCertificates } from '../../src/gateway/trust-documents.ts';
import { loadTrust } from '../../src/gateway/trust-folder.ts';
import type { Certificate } from '../../src/trust/x509.ts';
import { type KnownSigners, readSignedXml } from '../../src/trust/xml-signature.ts';
import { signXml } from '../../src/trust/xml-signing.ts';
import type { XmlElement } from '../../src/xml/strict-xml.ts';
import { BROKER, type DuisMaterial, type FileIdentity, SUPPLIER } from './duis-material.ts';

const SR = 'http://www.dccinterface.co.uk/ServiceUserGateway';
const INSIDE = ['SMETS1SignedResponse', 'S1SPAlert'].map((name) => ({ namespace: SR, name }));
const INNER = /<sr:(SMETS1SignedResponse|S1SPAlert)( .*<\/sr:\1>)/;

const SERVICES: Record<RequestBody['kind'], { reference: string; variant: number }> = {
  UpdateFirmware: { reference: '11.1', variant: 8 },
  ReadFirmwareVersion: { reference: '11.2', variant: 1 },
  ActivateFirmware: { reference: '11.3', variant: 4 },
  SignedPreCommand: { reference: '11.3', variant: 5 },
  UpdatePPMIDFirmware: { reference: '11.4', variant: 8 },
};

export interface Received {
  status: number;
  text: string;
}

export interface Message {
  id: string;
  attempt: number;
  text: string;
}

/** `version` of DUIS; `target`: the device, else the broker. */
export interface RequestOptions {
  version?: string;
  target?: string;
  originator?: string;
  counter?: bigint;
}

let lastCounter = BigInt(Date.now());

export function requestOf(body: RequestBody, options: RequestOptions = {}): ServiceRequest {
  const { version = '4.0', target = BROKER, originator = SUPPLIER } = options;
  const { counter = ++lastCounter } = options;
  const { reference, variant } = SERVICES[body.kind];
  return {
    schemaVersion: version,
    header: {
      requestId: { originator, target, counter },
      commandVariant: variant,
      serviceReference: reference,
      serviceReferenceVariant: reference,
    },
    body,
  };
}

export function signedBy({ certificateFile, keyFile }: FileIdentity, document: Uint8Array): string {
  const [certificate] = loadCertificates([certificateFile]) as [Certificate];
  const privateKey = createPrivateKey(readFileSync(keyFile));
  const signed = signXml(document, { certificate, privateKey });
  if (!signed.ok) throw new Error(signed.message);
  return new TextDecoder().decode(signed.bytes);
}

export function signedRequest(signer: FileIdentity, request: ServiceRequest): string {
  return signedBy(signer, encodeRequest(request));
}

/** Posts what is given. `client`: `undefined` for no certificate. */
export function post(
  port: number,
  document: string | Uint8Array,
  { tlsCa, client }: { tlsCa: string; client: FileIdentity | undefined },
  headers: Record<string, string> = {},
): Promise<Received> {
  return new Promise((done, failed) => {
    const request = https.request({
      host: '127.0.0.1',
      port,
      method: 'POST',
      agent: false,
      ca: readFileSync(tlsCa),
      ...(client && tlsOf(client)),
      headers: { 'content-type': 'application/xml', ...headers },
    });
    request.on('error', failed);
    request.on('response', (response) => {
      void textOf(response).then((text) => done({ status: response.statusCode!, text }), failed);
    });
    request.end(document);
  });
}

export function tlsOf({ certificateFile, keyFile }: FileIdentity): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
}

/** Its content, where it was signed by the gateway, and so is what is signed within it. */
export function verified(text: string, { trustAnchors, dcc }: DuisMaterial): XmlElement {
  const signers: KnownSigners = {
    certificates: loadCertificates([dcc.certificateFile]),
    anchors: loadTrust(trustAnchors).anchors,
    atMs: Date.now(),
  };
  const rootOf = (document: string): XmlElement => {
    const read = readSignedXml(Buffer.from(document), signers, { signedInside: INSIDE });
    if (!read.ok) throw new Error(`${read.code}: ${document}`);
    if (read.signer.certificate.eui64 !== BROKER) throw new Error('it is signed by another');
    return read.root;
  };
  const [, name, rest] = INNER.exec(text) ?? [];
  // As a document of its own, which says the namespace again.
  if (name) rootOf(`<sr:${name} xmlns:sr="${SR}"${rest}`);
  return rootOf(text);
}

/** Where messages arrive: kept in their order, answered by `answers`, which may be changed. */
export class Endpoint {
  readonly messages: Message[] = [];
  /** Status of each answer. */
  answers: (message: Message) => number = () => 200;
  port = 0;
  private readonly material: DuisMaterial;
  private server: https.Server | undefined;

  constructor(material: DuisMaterial) {
    this.material = material;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}/duis`;
  }

  /** On the port that it had before. */
  async open(): Promise<void> {
    const { endpointTls, tlsCa } = this.material;
    const options = { ...tlsOf(endpointTls), ca: readFileSync(tlsCa), requestCert: true };
    this.server = https.createServer(
      { ...options, rejectUnauthorized: true },
      (request, response) => {
        void this.keep(request, response);
      },
    );
    await new Promise<void>((done) => this.server!.listen(this.port, '127.0.0.1', done));
    this.port = (this.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    return new Promise((done) => {
      if (!server) return done();
      server.close(() => done());
      server.closeAllConnections();
    });
  }

  /** Each once: by the id that it keeps over all tries. */
  get taken(): Message[] {
    const seen = new Set<string>();
    return this.messages.filter(({ id }) => !seen.has(id) && seen.add(id));
  }

  private async keep(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const text = await textOf(request);
      const header = (name: string) => String(request.headers[name]);
      const message = {
        id: header('uplift-message-id'),
        attempt: Number(header('uplift-attempt')),
        text,
      };
      const status = this.answers(message);
      if (status === 200) this.messages.push(message);
      response.writeHead(status).end();
    } catch {
      // Cut off by who sent it: it comes again.
    }
  }
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}
