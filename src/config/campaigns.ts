/** The section `campaigns` of the gateway's configuration after every check: paths absolute, files there. */
import type { CampaignsDocument } from './campaigns-schema.ts';
import type { FileIdentity } from './duis.ts';
import type { GatewayFiles } from './gateway-files.ts';
import type { KeyPath } from './yaml-source.ts';

export interface CoordinatorConfig {
  url: string;
  caFile: string | undefined;
  certificateSha256: string | undefined;
  enrolmentTokenFile: string | undefined;
  identity: FileIdentity | undefined;
  /** The agent's own where they are not said. */
  contactMs: number | undefined;
  inventoryMs: number | undefined;
}

export interface HawkbitConfig {
  url: string;
  tenant: string;
  controllerId: string | undefined;
  caFile: string | undefined;
  targetTokenFile: string | undefined;
  gatewayTokenFile: string | undefined;
  identity: FileIdentity | undefined;
}

export interface CampaignsConfig {
  fleet: string;
  region: string | undefined;
  approvals: number;
  coordinator: CoordinatorConfig | undefined;
  hawkbit: HawkbitConfig | undefined;
}

export function campaignsConfig(document: CampaignsDocument, files: GatewayFiles): CampaignsConfig {
  const { fleet, region, approvals, coordinator, hawkbit } = document;
  const secret = (written: string | undefined, at: KeyPath) =>
    written === undefined ? undefined : files.secret(written, at);
  const identityAt = (written: FileIdentity | undefined, at: KeyPath): FileIdentity | undefined =>
    written && {
      certificateFile: files.input(written.certificateFile, [...at, 'certificateFile']) ?? '',
      keyFile: files.secret(written.keyFile, [...at, 'keyFile']) ?? '',
    };
  const there = ['campaigns', 'coordinator'];
  const hawk = ['campaigns', 'hawkbit'];
  return {
    ...{ fleet, region, approvals },
    coordinator: coordinator && {
      url: coordinator.url,
      caFile: files.optionalInput(coordinator.caFile, [...there, 'caFile']),
      certificateSha256: coordinator.certificateSha256,
      // It is deleted when it was used, and its absence is no fault.
      enrolmentTokenFile:
        coordinator.enrolmentTokenFile && files.absolute(coordinator.enrolmentTokenFile),
      identity: identityAt(coordinator.identity, [...there, 'identity']),
      contactMs: coordinator.contactMs,
      inventoryMs: coordinator.inventoryMs,
    },
    hawkbit: hawkbit && {
      ...{ url: hawkbit.url, tenant: hawkbit.tenant, controllerId: hawkbit.controllerId },
      caFile: files.optionalInput(hawkbit.caFile, [...hawk, 'caFile']),
      targetTokenFile: secret(hawkbit.targetTokenFile, [...hawk, 'targetTokenFile']),
      gatewayTokenFile: secret(hawkbit.gatewayTokenFile, [...hawk, 'gatewayTokenFile']),
      identity: identityAt(hawkbit.identity, [...hawk, 'identity']),
    },
  };
}
