/** What the state of a campaign on this gateway is in the words of a report to a hawkBit server. */
import { DEVICE_STATES } from '../../campaign/device-progress.ts';
import type { FollowedCampaign } from '../agent/carrier.ts';
import { failure, type HawkbitCode, type Outcome } from './codes.ts';
import type { Report } from './ddi-messages.ts';

type Counts = FollowedCampaign['devices'];

/** Of states that are an end for the server. `held` is one: it has no word for waiting on a person. */
const CODE_OF: Partial<Record<FollowedCampaign['state'], HawkbitCode>> = {
  refused: 'campaign-refused',
  held: 'campaign-held',
  aborted: 'campaign-aborted',
  expired: 'campaign-expired',
};

/** Undefined: it goes on. A campaign that is through is a success where every device of it was one. */
export function outcomeOf(followed: FollowedCampaign): Outcome | undefined {
  const { state, code, detail = '', devices } = followed;
  const counts = countsText(devices);
  if (state === 'finished') {
    if (devices.failed > 0) return failure('devices-failed', counts);
    return { finished: 'success', details: [counts] };
  }
  const ended = CODE_OF[state];
  if (ended === undefined) return undefined;
  const { finished, details } = failure(ended, code === undefined ? '' : `${code}: ${detail}`);
  return { finished, code: ended, details: [...details, counts] };
}

/** @param missing images that are still to come */
export function progressOf(
  followed: FollowedCampaign | undefined,
  missing: number,
  course: 'run' | 'pause' | 'abort',
): Report {
  if (missing > 0) {
    return { execution: 'download', finished: 'none', details: [`${missing} images are to come`] };
  }
  if (!followed) {
    return { execution: 'scheduled', finished: 'none', details: ['the campaign is taken up'] };
  }
  const { devices, state } = followed;
  const of = totalOf(devices);
  const cnt = devices.succeeded + devices.failed;
  const details = [countsText(devices), `the campaign is ${state}`];
  const isWaiting = course === 'pause' || state === 'paused';
  const execution = isWaiting ? 'scheduled' : 'proceeding';
  return { execution, finished: 'none', progress: { cnt, of }, details };
}

function totalOf(devices: Counts): number {
  return DEVICE_STATES.reduce((sum, state) => sum + devices[state], 0);
}

function countsText(devices: Counts): string {
  const of = totalOf(devices);
  if (of === 0) return 'no device of this gateway is a target';
  const named = DEVICE_STATES.filter((state) => devices[state] > 0);
  return `of ${of} devices ${named.map((state) => `${devices[state]} ${state}`).join(', ')}`;
}
