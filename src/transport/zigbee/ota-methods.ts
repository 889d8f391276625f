/**
 * What a coordinator's process is asked to do with its OTA server, whatever the frames go over: a real
 * radio in the worker, a simulated one in tests. Opening, joining and reading are its owner's.
 */
import type { Timers } from '../../ports.ts';
import { BLOCK_BYTES_MAX } from '../../protocol/zcl-ota/block-response.ts';
import type { AssignRequest, Methods } from './messages.ts';
import type { OtaLink } from './ota-link.ts';

export type OtaMethod =
  | 'assign'
  | 'authorise'
  | 'withhold'
  | 'notify'
  | 'activate'
  | 'abort'
  | 'release'
  | 'pace'
  | 'park';

export type OtaMethods = {
  [M in OtaMethod]: (parameters: Methods[M][0]) => Promise<Methods[M][1]>;
};

const PARK_POLL_MS = 20;

/** `openImage` reads the very bytes that were admitted. @throws UpliftError where they are others */
export function otaMethods(
  link: OtaLink,
  openImage: (request: AssignRequest) => Uint8Array,
  timers: Timers,
): OtaMethods {
  const sleep = (waitMs: number) => new Promise<void>((wake) => timers.after(waitMs, wake));
  let blockPeriodMs = 0;
  return {
    async assign(request) {
      const image = openImage(request);
      const { eui64, endpoint, triple, authorised, resumable, activation, stallMs } = request;
      const assignment = {
        ...{ image, triple, authorised, resumable, activation, blockPeriodMs, stallMs },
        ...{ paceBy: 'delay' as const, blockBytesMax: BLOCK_BYTES_MAX },
      };
      const device = link.device(eui64, endpoint);
      link.command((server, nowMs) => server.assign(device, assignment, nowMs));
      return {};
    },
    async authorise({ eui64, admitted }) {
      link.command((server, nowMs) => server.authorise(link.device(eui64), admitted, nowMs));
      return {};
    },
    async withhold({ eui64 }) {
      link.command((server) => server.withhold(link.device(eui64)));
      return {};
    },
    async notify({ eui64, payloadType }) {
      link.command((server) => server.notify(link.device(eui64), payloadType));
      return {};
    },
    async activate({ eui64, activation }) {
      link.command((server, nowMs) => server.activate(link.device(eui64), activation, nowMs));
      return {};
    },
    async abort({ eui64 }) {
      link.command((server) => server.abort(link.device(eui64)));
      return {};
    },
    async release({ eui64 }) {
      link.command((server) => server.release(link.device(eui64)));
      return {};
    },
    async pace(wanted) {
      blockPeriodMs = wanted.blockPeriodMs;
      link.setPace(blockPeriodMs);
      return {};
    },
    async park({ waitMs, graceMs }) {
      const running = link.samples().filter((sample) => sample.sentBytes < sample.totalBytes);
      link.command((server, nowMs) => {
        for (const { eui64 } of running) server.park(link.device(eui64), waitMs, nowMs);
      });
      const endMs = timers.nowMs() + graceMs;
      const told = () => link.samples().filter((sample) => sample.parked).length;
      // Told is not heard: what says so has to have left before the link is closed.
      while ((told() < running.length || !link.isIdle()) && timers.nowMs() < endMs)
        await sleep(PARK_POLL_MS);
      return { parked: told() };
    },
  };
}
