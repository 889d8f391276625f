/** By which a front of tests makes campaigns: all at once, signed by ANN. */
import type { CampaignRules } from '../../../src/fleet/front/draft.ts';
import { ANN, DAY_MS, keyIdOf } from '../../campaign/campaigns.ts';

export const RULES: CampaignRules = {
  ...{ fleet: 'north', front: 'front-1', author: keyIdOf(ANN), approvals: 1 },
  lifeMs: 14 * DAY_MS,
  rings: [{ name: 'all', all: true, untilPercent: 90 }],
  pace: { first: 100, growthPercent: 150, afterSucceeded: 50, most: 5_000 },
  aborts: [{ failure: 'any', percent: 20, minimum: 50 }],
};
