/**
 * What a campaign says of a device, in the words of the session that its front has in its place: each
 * step once and in the order that the states of an upgrade allow. Pure.
 */
import type { FailureClass } from '../../campaign/failure-classes.ts';
import type { FieldEnd, FieldEvent } from '../../gateway/field.ts';
import type { UpgradeState } from '../../jobs/states.ts';
import type { FailureCode } from '../../upgrade/states.ts';
import type { CampaignDeviceView } from '../coordinator/control.ts';
import { FRONT_CODES, type FrontCode } from './codes.ts';

/** In which a device is under way, as far as a front tells them apart. */
const REACHES = [
  'begun',
  'staged',
  'distributing',
  'distributed',
  'activating',
  'confirming',
] as const;
export type Reach = (typeof REACHES)[number];

export interface Standing {
  /** The furthest that was told. */
  reach: Reach;
  activation: 'now' | 'held';
  /** An activation is on record. */
  isAnnounced: boolean;
}

export interface Steps {
  events: readonly FieldEvent[];
  end?: FieldEnd;
  reach: Reach;
}

const ACTIVATE: FieldEvent = { kind: 'intent', intent: 'activate' };

type FinalState = 'failed' | 'refused' | 'cancelled' | 'unknown-outcome';

/** Of a failure whose gateway names no code. */
const CODES: Readonly<Record<FailureClass, FailureCode>> = {
  refused: 'image-refused-by-device',
  unreachable: 'device-silent',
  transfer: 'transfer-given-up',
  activation: 'not-activated',
  reverted: 'device-reverted',
  expired: 'deadline-passed',
  'unknown-outcome': 'version-not-readable',
};

/** Where a gateway is with it; what it is tried again from says nothing new. */
const REACHED: Partial<Record<UpgradeState, Reach>> = {
  distributing: 'distributing',
  distributed: 'distributed',
  'awaiting-activation': 'distributed',
  activating: 'activating',
  confirming: 'confirming',
};

/** A session that goes on for one which announced an activation has that behind it. */
export function standingOf(activation: 'now' | 'held', isAnnounced: boolean): Standing {
  return { activation, isAnnounced, reach: isAnnounced ? 'activating' : 'begun' };
}

/** @param untilMs what has not ended by then ends with its campaign */
export function stepsOf(view: CampaignDeviceView, standing: Standing, untilMs: number): Steps {
  const { state, phase, runs, code, detail } = view;
  const isHeld = standing.activation === 'held' && phase === 'awaiting-activation';
  if (state === 'succeeded' && isHeld) {
    const held: FieldEvent = { kind: 'state', state: 'awaiting-activation', untilMs };
    return { events: [held], end: { kind: 'held' }, reach: standing.reach };
  }
  if (state === 'succeeded') {
    const version = runs === undefined ? {} : { runs };
    return final(standing, { kind: 'state', state: 'done', ...version, ...detailed(detail) });
  }
  if (state === 'failed') {
    const known = code ?? (phase === 'cancelled' ? 'called-off-there' : codeOf(view, standing));
    const steps = failed(standing, finalStateOf(view, standing), known, detail);
    return isCommanded(view, standing) ? { ...steps, events: [ACTIVATE, ...steps.events] } : steps;
  }
  const reached = (state === 'under-way' && REACHED[phase as UpgradeState]) || 'staged';
  return advance(standing, reached, untilMs);
}

/** It comes to nothing, though no gateway says so. */
export function nothingOf(standing: Standing, code: FrontCode, detail?: string): Steps {
  // Of one that was commanded to activate nobody knows.
  const state = standing.isAnnounced ? 'unknown-outcome' : 'failed';
  return failed(standing, state, code, detail ?? FRONT_CODES[code]);
}

/** It had begun, and is heard of no more: a device that was to activate the image may run it. */
export function silenceOf(standing: Standing): Steps {
  const isAsked = standing.activation === 'now' || standing.isAnnounced;
  const state = isAsked ? 'unknown-outcome' : 'failed';
  return failed(standing, state, 'gateway-silent', FRONT_CODES['gateway-silent']);
}

export function cancelled(standing: Standing): Steps {
  return final(standing, { kind: 'state', state: 'cancelled' });
}

function advance({ reach, isAnnounced }: Standing, reached: Reach, untilMs: number): Steps {
  const from = REACHES.indexOf(reach);
  const to = REACHES.indexOf(reached);
  if (to <= from) return { events: [], reach };
  const events: FieldEvent[] = [];
  const say = (state: Exclude<Reach, 'begun'>) => events.push({ kind: 'state', state, untilMs });
  if (reach === 'begun') say('staged');
  const isActivated = to >= REACHES.indexOf('activating');
  // No state of the activation follows one of the transfer but its last.
  if (isActivated && reach === 'distributing') say('distributed');
  if (isActivated && !isAnnounced) events.push(ACTIVATE);
  if (reached === 'confirming' && reach !== 'activating') say('activating');
  if (reached !== 'begun' && reached !== 'staged') say(reached);
  return { events, reach: reached };
}

/** Its gateway commanded the activation, though it was never seen at that. */
function isCommanded({ failure }: CampaignDeviceView, { activation, isAnnounced }: Standing) {
  const isAfter =
    failure === 'activation' || failure === 'reverted' || failure === 'unknown-outcome';
  return isAfter && activation === 'now' && !isAnnounced;
}

/** What is held and not activated was not commanded to be. */
function codeOf({ failure }: CampaignDeviceView, { activation }: Standing): FailureCode {
  return failure === 'activation' && activation === 'held' ? 'hold-expired' : CODES[failure!];
}

function finalStateOf({ phase, failure }: CampaignDeviceView, { reach }: Standing): FinalState {
  if (failure === 'unknown-outcome') return 'unknown-outcome';
  if (REACHES.indexOf(reach) >= REACHES.indexOf('distributed')) return 'failed';
  if (failure !== 'refused') return 'failed';
  return phase === 'cancelled' || phase === 'superseded' ? 'cancelled' : 'refused';
}

function failed(
  standing: Standing,
  state: FinalState,
  code: string,
  detail: string | undefined,
): Steps {
  return final(standing, { kind: 'state', state, code, ...detailed(detail) });
}

function final({ reach }: Standing, event: FieldEvent): Steps {
  return { events: [event], end: { kind: 'final' }, reach };
}

function detailed(detail: string | undefined): { detail?: string } {
  return detail === undefined ? {} : { detail };
}
