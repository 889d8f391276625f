/** TEST MATERIAL: a folder with the keys of a Service User, a gateway and their CAs, and its configuration. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { testKey } from '../../firmware/test-material.ts';
import {
  type CertificateSpec,
  certificate,
  extension,
  fingerprint,
  pem,
  seq,
  tlv,
} from '../trust/naive-x509.ts';
import { ISSUING, SPECS } from '../trust/test-pki.ts';

const RIG = resolve(import.meta.dirname, '../../hw-config/rigs/virtual-ppmid.yaml');

export const SUPPLIER = '90b3d51f30010000';
export const BROKER = '0255504c46540002';
/** Of the rig. */
export const PPMID = '000d6f000a9069e7';
export const STRANGER = '0255504c46542099';

/** 127.0.0.1 as a name of a certificate. */
const HERE = extension('2.5.29.17', false, seq(tlv(0x87, [127, 0, 0, 1])));
const EXTRA = {
  /** Signs responses: the role of the DSP. */
  signing: {
    key: 'signing',
    signedBy: 'issuing',
    issuer: ISSUING,
    subject: [
      ['OU', '89'],
      ['EUI', BROKER],
    ],
    serial: 5n,
  },
  server: {
    key: 'server',
    signedBy: 'issuing',
    issuer: ISSUING,
    subject: [['CN', 'gateway']],
    serial: 6n,
    extra: [HERE],
  },
} as const satisfies Record<string, CertificateSpec>;

export class DuisSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'uplift-duis-'));
  readonly supplier = this.identity('supplier', SPECS.xml);
  readonly signing = this.identity('signing', EXTRA.signing);
  readonly server = this.identity('server', EXTRA.server);
  readonly root = this.write('root.pem', pem('CERTIFICATE', certificate(SPECS.root)));
  readonly anchors = this.write('anchors.json', anchorsText());
  readonly stateFolder = join(this.folder, 'state');

  /** A gateway with the virtual PPMID; `more` is YAML below the rest. */
  gateway(more = ''): string {
    const { folder, stateFolder, supplier, signing, server, root, anchors } = this;
    const of = (one: { certificate: string; key: string }) =>
      `certificateFile: ${one.certificate}, keyFile: ${one.key}`;
    return this.write(
      'gateway.yaml',
      `gateway: {id: bench-1, stateDirectory: ${stateFolder}, runtimeDirectory: ${folder}}
rigs: [${RIG}]
admission: {trustAnchors: ${anchors}}
duis:
  listen: 127.0.0.1:0
  tls: {${of(server)}, clientCaFile: ${root}}
  broker: "${BROKER}"
  signing: {${of(signing)}}
  users:
    - {eui64: "${SUPPLIER}", roles: [IS], certificates: [${supplier.certificate}]}
${more}`,
    );
  }

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }

  /** With the CA that signed it after it. */
  private identity(name: string, spec: CertificateSpec): { certificate: string; key: string } {
    const chain = [spec, SPECS.issuing].map((one) => pem('CERTIFICATE', certificate(one)));
    const key = testKey(spec.key).privateKey.export({ type: 'pkcs8', format: 'pem' });
    return {
      certificate: this.write(`${name}.pem`, chain.join('')),
      key: this.write(`${name}.key`, key as string),
    };
  }
}

function anchorsText(): string {
  const root = certificate(SPECS.root);
  const anchor = {
    name: 'test-root',
    purpose: 'xml-signing',
    fingerprint: fingerprint(root),
    pem: pem('CERTIFICATE', root),
  };
  return JSON.stringify({ version: 1, anchors: [anchor] });
}
