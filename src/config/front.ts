/** The section `front` of the gateway's configuration after every check: paths absolute, models read. */
import type { FileIdentity } from './duis.ts';
import type { FrontDocument } from './front-schema.ts';
import type { GatewayFiles } from './gateway-files.ts';
import type { HubModel, PpmidModel } from './schema.ts';
import type { KeyPath } from './yaml-source.ts';

export interface FrontCoordinator {
  /** One of them. */
  url: string | undefined;
  socket: string | undefined;
  caFile: string | undefined;
  tokenFile: string | undefined;
  starterTokenFile: string | undefined;
}

export interface FrontConfig {
  fleet: string;
  coordinator: FrontCoordinator;
  models: (PpmidModel | HubModel)[];
  signing: { author: FileIdentity; approvers: FileIdentity[]; approvals: number };
  campaign: FrontDocument['campaign'];
  inventoryMs: number;
  installationIsGateway: boolean;
}

/** @param modelAt reads a model file; undefined where it has a problem */
export function frontConfig(
  document: FrontDocument,
  files: GatewayFiles,
  modelAt: (path: string, at: KeyPath) => PpmidModel | HubModel | undefined,
): FrontConfig {
  const { fleet, coordinator, models, signing, campaign, inventoryMs, installationIsGateway } =
    document;
  const there = ['front', 'coordinator'];
  const secret = (written: string | undefined, key: string) =>
    written === undefined ? undefined : files.secret(written, [...there, key]);
  const identity = (written: FileIdentity, at: KeyPath): FileIdentity => ({
    certificateFile: files.input(written.certificateFile, [...at, 'certificateFile']) ?? '',
    keyFile: files.secret(written.keyFile, [...at, 'keyFile']) ?? '',
  });
  const signs: KeyPath = ['front', 'signing'];
  return {
    fleet,
    coordinator: {
      url: coordinator.url,
      socket: coordinator.socket === undefined ? undefined : files.absolute(coordinator.socket),
      caFile: files.optionalInput(coordinator.caFile, [...there, 'caFile']),
      tokenFile: secret(coordinator.tokenFile, 'tokenFile'),
      starterTokenFile: secret(coordinator.starterTokenFile, 'starterTokenFile'),
    },
    models: models.flatMap((written, index) => {
      const at = ['front', 'models', index];
      const path = files.input(written, at);
      return (path === undefined ? undefined : modelAt(path, at)) ?? [];
    }),
    signing: {
      author: identity(signing.author, [...signs, 'author']),
      approvers: signing.approvers.map((one, index) =>
        identity(one, [...signs, 'approvers', index]),
      ),
      approvals: signing.approvals,
    },
    ...{ campaign, inventoryMs, installationIsGateway },
  };
}
