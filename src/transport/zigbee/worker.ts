/**
 * The process that owns one coordinator: it opens the Controller, serves the OTA cluster, keeps the link up
 * and answers the gateway over the channel it was forked with. It ends when the gateway does.
 */
import { EXIT, UpliftError } from '../../errors.ts';
import { SYSTEM_TIMERS } from '../serial/driver.ts';
import { AirProbe } from './air-probe.ts';
import { readAdmitted } from './checked-image.ts';
import { ZigbeeController } from './controller.ts';
import { Joinings } from './joinings.ts';
import { linkFailure } from './link-failure.ts';
import type {
  AssignRequest,
  CoordinatorOptions,
  ErrorBody,
  LinkEvent,
  Method,
  Methods,
  OpenResult,
  ToWorker,
} from './messages.ts';
import { OtaLink } from './ota-link.ts';
import { otaMethods } from './ota-methods.ts';

const PROGRESS_PERIOD_MS = 200;
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 5_000;

let controller: ZigbeeController | undefined;
let options: CoordinatorOptions | undefined;
let closing = false;
const images = new Map<string, Uint8Array>();
const joined = new Set<string>();
const link = new OtaLink(emit);
const log = {
  write: (level: 'debug' | 'info' | 'warning' | 'error', message: string) =>
    emit({ kind: 'log', level, message }),
};

const probe = new AirProbe({
  timers: SYSTEM_TIMERS,
  devices: () => (controller ? link.downloading() : []),
  ask: (eui64, timeoutMs) => connected().ask(eui64, timeoutMs),
  onAnswer: (answerMs) => emit({ kind: 'probed', answerMs }),
});

const joinings = new Joinings(
  {
    open: (seconds, installCodes) => connected().openJoining(seconds, installCodes),
    close: () => connected().closeJoining(),
    knows,
  },
  SYSTEM_TIMERS,
);

const methods: { [M in Method]: (parameters: Methods[M][0]) => Promise<Methods[M][1]> } = {
  async open(parameters) {
    options = parameters;
    if (parameters.tellsServer) {
      emit({ kind: 'server', said: 'begins' });
      link.tellServer((said) => emit({ kind: 'server', said }));
    }
    probe.start();
    return connect();
  },
  async devices() {
    return connected().devices();
  },
  async join(request) {
    return joinings.wait(request);
  },
  async read({ eui64, endpoint, timeoutMs }) {
    return connected().read(eui64, endpoint, timeoutMs);
  },
  ...otaMethods(link, openImage, SYSTEM_TIMERS),
  async close() {
    closing = true;
    clearInterval(progress);
    probe.stop();
    link.stop();
    await controller?.close();
    return {};
  },
};

process.on('message', async ({ id, method, parameters }: ToWorker) => {
  try {
    const result = await (methods[method] as (parameters: unknown) => Promise<unknown>)(parameters);
    process.send?.({ id, ok: true, result });
  } catch (error) {
    process.send?.({ id, ok: false, error: errorBody(error) });
  }
  if (method === 'close') process.disconnect();
});
process.on('disconnect', () => process.exit(0));
// A terminal sends Ctrl-C to the whole group; the gateway decides when this process ends.
process.on('SIGINT', () => {});

let lastProgress = '';
const progress = setInterval(() => {
  const samples = link.samples();
  const fingerprint = JSON.stringify(samples);
  if (fingerprint === lastProgress) return;
  lastProgress = fingerprint;
  emit({ kind: 'progress', samples });
}, PROGRESS_PERIOD_MS);

async function connect(): Promise<OpenResult> {
  try {
    controller = await ZigbeeController.open(
      options!,
      {
        otaFrame: (frame) => link.handleFrame(frame),
        announced: (eui64) => emit({ kind: 'announced', eui64 }),
        joined: (eui64) => {
          joined.add(eui64);
          emit({ kind: 'joined', eui64 });
        },
        lost: (reason) => void reconnect(reason),
      },
      log,
    );
  } catch (error) {
    throw linkFailure(options!.port, error);
  }
  link.setSender(controller);
  return controller.opened;
}

async function reconnect(reason: string): Promise<void> {
  if (closing || !controller) return;
  const lost = controller;
  controller = undefined;
  link.setSender(undefined);
  emit({ kind: 'link-down', reason });
  await lost.abandon();
  for (let waitMs = RECONNECT_MS_MIN; !closing; waitMs = Math.min(2 * waitMs, RECONNECT_MS_MAX)) {
    try {
      await connect();
      emit({ kind: 'link-up' });
      return;
    } catch (error) {
      log.write('debug', `still no link: ${(error as Error).message}`);
      await sleep(waitMs);
    }
  }
}

function connected(): ZigbeeController {
  if (controller) return controller;
  throw new UpliftError('link-down', `the link to the coordinator on ${options?.port} is down`, {
    expected: 'a coordinator that answers',
    actual: 'no link; it is being tried again',
    next: 'check its cable or network and wait, or run `uplift rig check`',
    exit: EXIT.notReachable,
  });
}

function knows(eui64: string): boolean {
  return (
    joined.has(eui64) ||
    connected()
      .devices()
      .some((device) => device.eui64 === eui64 && device.interviewed)
  );
}

/** One copy in memory an image, however many devices it is assigned to. */
function openImage(request: AssignRequest): Uint8Array {
  const { imageOffset, imagePath, token } = request;
  const known = images.get(token.sha256);
  if (known) return known;
  const image = readAdmitted(imagePath, imageOffset, token);
  images.set(token.sha256, image);
  return image;
}

function errorBody(error: unknown): ErrorBody {
  if (!(error instanceof UpliftError)) {
    return {
      code: 'link-error',
      message: (error as Error)?.message ?? String(error),
      exit: EXIT.transferFailed,
    };
  }
  const { code, message, expected, actual, next, exit } = error;
  return { code, message, expected, actual, next, exit } as ErrorBody;
}

function emit(event: LinkEvent): void {
  if (process.connected) process.send?.({ event });
}

function sleep(waitMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, waitMs));
}
