/** TEST MATERIAL: what a fleet needs in one folder: people who sign campaigns, trust anchors, and TLS. */
import { type CertificateSpec, certificate, fingerprint, pem } from '../trust/naive-x509.ts';
import {
  anchorsText,
  ca,
  type FileIdentity,
  ISSUING_SPEC,
  materialIn,
  TLS_CA,
  tls,
  UNTIL_MS,
} from './material.ts';

export const FLEET = 'north';

export interface FleetMaterial {
  folder: string;
  /** Of images, and of those who sign campaigns. */
  trustAnchors: string;
  author: FileIdentity;
  /** Of the author's certificate. */
  authorFingerprint: string;
  approver: FileIdentity;
  otherApprover: FileIdentity;
  tlsCa: string;
  coordinatorTls: FileIdentity;
}

const signer = (person: string, serial: bigint): CertificateSpec => ({
  key: person,
  signedBy: ISSUING_SPEC.key,
  issuer: ISSUING_SPEC.subject,
  subject: [['CN', person]],
  serial,
  untilMs: UNTIL_MS,
});

const ANN = signer('ann', 21n);

/** `firmwareTrust`: the folder with the anchors of the images. */
export function writeFleetMaterial(folder: string, firmwareTrust: string): FleetMaterial {
  const { file, identity } = materialIn(folder);
  return {
    folder,
    trustAnchors: file('anchors.json', anchorsText(firmwareTrust, ISSUING_SPEC, 'campaign')),
    author: identity('ann', ANN, ISSUING_SPEC),
    authorFingerprint: fingerprint(certificate(ANN)),
    approver: identity('robert', signer('robert', 22n), ISSUING_SPEC),
    otherApprover: identity('carla', signer('carla', 23n), ISSUING_SPEC),
    tlsCa: file('tls-ca.pem', pem('CERTIFICATE', certificate(ca('tls-ca', TLS_CA)))),
    coordinatorTls: identity('coordinator', tls('coordinator', [['CN', 'coordinator']], 31n)),
  };
}
