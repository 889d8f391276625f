/**
 * What is to be done with a hub that speaks SMP, from what it says of itself: pure, and in words for the
 * person who watches. Nothing is sent before both the state and the plan have been said.
 */
import {
  type DeviceMode,
  imageStateOf,
  type UploadOutlook,
  uploadOutlook,
} from '../protocol/smp/image-state.ts';
import type { ImageEntry } from '../protocol/smp/messages.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import type { FailureCode } from './states.ts';

/** What a hub that was asked has answered. */
export interface HubSurvey {
  mode: DeviceMode;
  images: readonly ImageEntry[];
  /** Largest image the slots take, where it says so. */
  imageBytesMax: number | undefined;
  /** Its buffer for one request, where it says so. */
  bufferBytes: number | undefined;
}

export interface SmpPlanRequest {
  /** The hash in the image's TLVs. */
  hash: Uint8Array;
  imageBytes: number;
  imageNumber: number;
  activation: Activation;
  confirm: 'after-test' | 'permanent';
}

export type SmpPlan =
  | { do: 'nothing'; text: string }
  | { do: 'fail'; code: FailureCode; detail?: string }
  | { do: 'upload'; text: string }
  /** It is in the slot that does not run: no upload. */
  | { do: 'stage'; text: string }
  /** It runs on trial: keep it. */
  | { do: 'confirm'; text: string };

export function planSmp(survey: HubSurvey, request: SmpPlanRequest): SmpPlan {
  const outlook = outlookOf(survey, request);
  if (survey.mode === 'recovery' && request.activation.when !== 'now')
    return { do: 'fail', code: 'hold-impossible' };
  const held = request.activation.when === 'held';
  switch (outlook) {
    case 'runs':
      return { do: 'nothing', text: 'it runs this very image already, confirmed' };
    case 'runs-unconfirmed':
      if (held) return { do: 'fail', code: 'trial-unconfirmed', detail: 'it is this very image' };
      return { do: 'confirm', text: 'it runs this very image on trial: it is confirmed' };
    case 'blocked-unconfirmed':
      return { do: 'fail', code: 'trial-unconfirmed' };
    case 'too-large':
      return {
        do: 'fail',
        code: 'slot-too-small',
        detail: `${request.imageBytes} bytes, and it takes ${survey.imageBytesMax}`,
      };
    case 'in-other-slot':
      return { do: 'stage', text: `it holds this image already: ${afterwards(request)}` };
    case 'pending':
      // A pending image would run from the next reset on: that is not held.
      if (held) return upload('it holds this image, pending: an upload makes it wait', request);
      return { do: 'stage', text: `it holds this image already, pending: ${afterwards(request)}` };
    case 'in-primary':
      return {
        do: 'stage',
        text: 'its primary slot holds this image already: it is reset into it',
      };
    case 'upload-to-primary':
      return {
        do: 'upload',
        text:
          `${request.imageBytes} bytes go into the primary slot: from the first chunk on what was ` +
          'there is gone, and an upload that breaks off begins anew; then it is reset and read back',
      };
    case 'upload-drops-pending':
      return upload('another image is pending and is given up by this upload', request);
    case 'upload':
      return upload(undefined, request);
  }
}

/** `application answers: slot 0 runs 1.0.0, confirmed; slot 1 is empty; messages of 380 bytes`. */
export function surveyText(survey: HubSurvey, imageNumber: number): string {
  const { mode, images, bufferBytes } = survey;
  const own = images.filter(({ image }) => image === imageNumber);
  const who = mode === 'recovery' ? "MCUboot's serial recovery answers" : 'its application answers';
  const slots = [0, 1].map((slot) =>
    slotText(
      slot,
      own.find((entry) => entry.slot === slot),
    ),
  );
  const buffer = bufferBytes === undefined ? [] : [`it takes requests of ${bufferBytes} bytes`];
  // Recovery lists the primary slot alone where it knows no other.
  const listed =
    mode === 'recovery' && !own.some(({ slot }) => slot === 1) ? slots.slice(0, 1) : slots;
  return `${who}: ${[...listed, ...buffer].join('; ')}`;
}

/** What it would run: of serial recovery nothing, its list says what lies in the slot. */
export function runningVersionOf({ mode, images }: HubSurvey, image: number): string | undefined {
  const entry =
    mode === 'recovery'
      ? images.find(({ image: number, slot }) => number === image && slot === 0)
      : imageStateOf(images, image).running;
  return entry?.version || undefined;
}

/** What each of its other images runs after the next reset, as MCUboot counts it for dependencies. */
export function otherImagesOf(
  { mode, images }: HubSurvey,
  image: number,
): Readonly<Record<number, string>> {
  const numbers = new Set(images.map((entry) => entry.image).filter((one) => one !== image));
  return Object.fromEntries(
    [...numbers].flatMap((number) => {
      if (mode === 'recovery') {
        const primary = images.find((entry) => entry.image === number && entry.slot === 0);
        return primary ? [[number, primary.version]] : [];
      }
      const { running, other, nextBoot } = imageStateOf(images, number);
      const changes = nextBoot === 'tests' || nextBoot === 'changes' || nextBoot === 'reverts';
      const next = changes ? (other ?? running) : running;
      return next ? [[number, next.version]] : [];
    }),
  );
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length > 0 && a.length === b.length && a.every((byte, at) => byte === b[at]);
}

function outlookOf(survey: HubSurvey, request: SmpPlanRequest): UploadOutlook {
  const { hash, imageBytes, imageNumber } = request;
  const { mode, images, imageBytesMax } = survey;
  return uploadOutlook(images, { hash, imageBytes, image: imageNumber, imageBytesMax, mode });
}

function upload(first: string | undefined, request: SmpPlanRequest): SmpPlan {
  const text = `${request.imageBytes} bytes go into the slot that does not run; ${afterwards(request)}`;
  return { do: 'upload', text: first === undefined ? text : `${first}; ${text}` };
}

function afterwards({ activation, confirm }: SmpPlanRequest): string {
  if (activation.when === 'held') return 'it then waits there until it is commanded to run';
  const run =
    confirm === 'permanent'
      ? 'it is made permanent, with no way back, the hub is reset and read back'
      : 'it is run on trial by a reset, read back, and then confirmed';
  return activation.when === 'now' ? run : `at ${new Date(activation.atMs).toISOString()} ${run}`;
}

function slotText(slot: number, entry: ImageEntry | undefined): string {
  if (entry === undefined) return `slot ${slot} holds no image`;
  const { version, active, confirmed, pending, permanent } = entry;
  const flags = [
    ...(active && !confirmed ? ['on trial'] : []),
    ...(confirmed ? ['confirmed'] : []),
    ...(pending ? [permanent ? 'pending for good' : 'pending'] : []),
  ];
  return [`slot ${slot} ${active ? 'runs' : 'holds'} ${version || 'an image'}`, ...flags].join(
    ', ',
  );
}
