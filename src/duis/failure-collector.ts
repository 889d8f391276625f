/**
 * Devices that a request did not reach, gathered into few messages. A machine without I/O: it says
 * what to queue now, and when to look again. It keeps nothing over a restart: what was not queued
 * by then is found again by `progressOf`.
 */
import { DEVICES_A_RECORD } from '../jobs/records.ts';
import { requestIdOf } from './identifiers.ts';
import { alertResponse, type Collected, type Notice, type ProgressSettings } from './progress.ts';
import type { AcceptedRequest } from './request-book.ts';

export const COLLECTING = {
  /** From the first device on. */
  collectMs: 60_000,
  /** So that the record of the message names them all. */
  devicesMax: DEVICES_A_RECORD,
  source: 'assumed: our choice',
} as const;

/** @param deviceIds of which one record can name all */
export function notReached(
  request: AcceptedRequest,
  { mark, deviceIds }: { mark: number; deviceIds: readonly string[] },
  nowMs: number,
  settings: ProgressSettings = {},
): Notice {
  const alert = {
    kind: 'FirmwareDistributionFailure',
    updateRequestId: requestIdOf(request.id),
    deviceIds,
  } as const;
  return {
    user: request.originator,
    about: { requestId: request.id, mark, devices: deviceIds },
    response: alertResponse(request, alert, nowMs, settings),
  };
}

interface Group {
  request: AcceptedRequest;
  mark: number;
  sinceMs: number;
  devices: Set<string>;
}

export class FailureCollector {
  private readonly groups = new Map<string, Group>();
  private readonly limits: { collectMs: number; devicesMax: number };
  private readonly settings: ProgressSettings;

  constructor(
    settings: ProgressSettings = {},
    limits: { collectMs: number; devicesMax: number } = COLLECTING,
  ) {
    this.settings = settings;
    this.limits = limits;
  }

  /** The same device again is the same. */
  add({ request, deviceId, mark }: Collected, nowMs: number): void {
    const key = `${request.id}/${mark}`;
    let group = this.groups.get(key);
    if (!group) {
      group = { request, mark, sinceMs: nowMs, devices: new Set() };
      this.groups.set(key, group);
    }
    group.devices.add(deviceId);
  }

  /** The next message that is ready; called until there is none. */
  pollNotice(nowMs: number): Notice | undefined {
    const { devicesMax } = this.limits;
    for (const [key, group] of this.groups) {
      const { request, mark, devices } = group;
      if (this.readyMs(group) > nowMs) continue;
      const deviceIds = [...devices].slice(0, devicesMax);
      for (const deviceId of deviceIds) devices.delete(deviceId);
      if (devices.size === 0) this.groups.delete(key);
      return notReached(request, { mark, deviceIds }, nowMs, this.settings);
    }
    return undefined;
  }

  pollTimeout(): number | undefined {
    let next: number | undefined;
    for (const group of this.groups.values()) {
      const readyMs = this.readyMs(group);
      if (next === undefined || readyMs < next) next = readyMs;
    }
    return next;
  }

  private readyMs({ sinceMs, devices }: Group): number {
    return devices.size >= this.limits.devicesMax ? sinceMs : sinceMs + this.limits.collectMs;
  }
}
