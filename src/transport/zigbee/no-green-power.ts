/**
 * Stands in, in the published bundle, for the one function zigbee-herdsman's Green Power handling takes from
 * zigbee-on-host (GPL): securing frames of battery-less switches. Uplift has no such devices; whatever
 * asks for it is told so instead of silently failing.
 */
export function aes128CcmStar(): never {
  throw new Error('Green Power security is not part of Uplift');
}
