/** What a device says of itself when its attributes are read; `undefined` where it does not say. */
export interface DeviceReading {
  /** Basic cluster. */
  manufacturerName: string | undefined;
  modelIdentifier: string | undefined;
  /** Basic cluster, software build: the firmware version as text. */
  softwareBuild: string | undefined;
  /** OTA cluster, client side, attributes 2, 4, 6, 1 and C. */
  currentFileVersion: number | undefined;
  downloadedFileVersion: number | undefined;
  imageUpgradeStatus: number | undefined;
  fileOffset: number | undefined;
  upgradeTimeoutPolicy: number | undefined;
}

/** Values of the image upgrade status attribute (095264, section 6.7.7). */
export const UPGRADE_STATUS = {
  normal: 0,
  downloadInProgress: 1,
  downloadComplete: 2,
  waitingToUpgrade: 3,
  countDown: 4,
  waitForMore: 5,
  waitForExternalEvent: 6,
} as const;

/** Upgrade timeout policy of a device that never activates for want of an answer. */
export const NEVER_ACTIVATES_UNASKED = 1;
