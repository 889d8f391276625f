/**
 * The steps of one device's upgrade as data, with the time they will take as a range. Pure: nothing is
 * asked of the device, nothing is sent.
 */
import { type BootloaderPlanRequest, planBootloaderUpgrade } from './plan-bootloader.ts';
import { planSmpUpgrade, type SmpPlanRequest } from './plan-smp.ts';
import type { UpgradePlan } from './plan-steps.ts';
import { planZigbeeUpgrade, type ZigbeePlanRequest } from './plan-zigbee.ts';

export type { PlanStep, UpgradePlan } from './plan-steps.ts';

export type PlanRequest = ZigbeePlanRequest | SmpPlanRequest | BootloaderPlanRequest;

export function planUpgrade(request: PlanRequest): UpgradePlan {
  switch (request.kind) {
    case 'zigbee':
      return planZigbeeUpgrade(request);
    case 'smp':
      return planSmpUpgrade(request);
    case 'bootloader':
      return planBootloaderUpgrade(request);
  }
}
