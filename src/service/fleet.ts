/**
 * The coordinator service, put together: the coordinator over its database, its doors, and what watches
 * them. It keeps house again and again; a database that is away ends nothing, and is asked again.
 *
 * Order of the stop: nothing new is taken, gateways that wait are answered, what is being told is kept,
 * and the database is closed last.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FleetConfig } from '../config/fleet.ts';
import { databaseUrl } from '../config/fleet.ts';
import { UpliftError } from '../errors.ts';
import type { Coordinator } from '../fleet/coordinator/control.ts';
import { type CoordinatorOptions, openCoordinator } from '../fleet/coordinator/coordinator.ts';
import { FleetDoors } from '../fleet/coordinator/doors.ts';
import { loadCertificates, loadRevocationLists } from '../gateway/trust-documents.ts';
import { loadTrust } from '../gateway/trust-folder.ts';
import { type FleetMetrics, openFleetMetrics } from '../observe/fleet-metrics.ts';
import { listenForMetrics } from '../observe/metrics-listener.ts';
import type { Log, Timers } from '../ports.ts';
import { STEADY_TIMERS } from './steady-timers.ts';

export interface FleetService {
  doors: FleetDoors;
  metrics: FleetMetrics;
  /** Where it is reached, in words. */
  places: string;
  /** The files of tokens and of trust are read again; what is wrong in one leaves what there was. */
  reload(): void;
  stop(): Promise<void>;
}

export interface FleetServiceOptions {
  version: string;
  log: Log;
  /** With the time of day. */
  timers: Timers;
  /** It kept house, or tried: the service goes on. */
  onHouse(): void;
  /** `openCoordinator`, but in tests. */
  open?: (options: CoordinatorOptions) => Promise<Coordinator>;
}

const HOUSE_MS = 2_000;
const FOLDER_MODE = 0o750;

/** @throws UpliftError */
export async function startFleet(
  config: FleetConfig,
  options: FleetServiceOptions,
): Promise<FleetService> {
  const { version, log, timers, open = openCoordinator } = options;
  mkdirSync(config.stateFolder, { recursive: true, mode: FOLDER_MODE });
  let trust = trustOf(config);
  const coordinator = await open({
    database: databaseOf(config),
    fleet: config.name,
    trust: () => trust,
    clock: timers,
    log,
    settings: config.settings,
  });
  const metrics = openFleetMetrics({
    build: { version, node: process.version },
    count: () => coordinator.census(),
    waiters: () => doors.waiters,
  });
  const { serve, listen } = config.metrics;
  const doors = await FleetDoors.open({
    ...{ desk: coordinator, gateways: config.gateways, api: config.api, timers, log, version },
    ...(serve === 'api' ? { metrics } : {}),
    onAnswered: metrics.answered,
  }).catch(async (error: unknown) => {
    await coordinator.close();
    throw error;
  });
  const listener =
    listen &&
    (await listenForMetrics(listen, metrics).catch(async (error: unknown) => {
      await doors.close();
      await coordinator.close();
      throw error;
    }));
  const house = keepHouse(coordinator, metrics, options);
  const { host, port } = doors.gatewayAddress;
  const { socket } = config.api;
  const tcp = doors.address;
  const places = [
    `${host}:${port} (gateways)`,
    socket.path,
    ...(tcp ? [`${tcp.host}:${tcp.port}`] : []),
    ...(listener ? [`${listen!.host}:${listener.port} (metrics)`] : []),
  ];
  return {
    ...{ doors, metrics },
    places: places.join(' and '),
    reload() {
      again(log, 'tokens', () => doors.reloadTokens());
      again(log, 'trust anchors', () => {
        trust = trustOf(config);
      });
    },
    async stop() {
      await doors.close();
      await house.stop();
      await listener?.close();
      await coordinator.close();
    },
  };
}

/** One after the other, so that a slow one is not overtaken. */
function keepHouse(
  coordinator: Coordinator,
  metrics: FleetMetrics,
  { log, timers, onHouse }: FleetServiceOptions,
) {
  let isStopped = false;
  let lastCode = '';
  const once = async (): Promise<void> => {
    try {
      const beganMs = STEADY_TIMERS.nowMs();
      await coordinator.keepHouse();
      metrics.houseKept(timers.nowMs(), (STEADY_TIMERS.nowMs() - beganMs) / 1000);
      if (lastCode !== '') log.write('info', 'the coordinator keeps house again');
      lastCode = '';
    } catch (error) {
      const { code = 'house', message } = error as UpliftError;
      // Told once, however long it lasts.
      if (code !== lastCode)
        log.write('error', `the coordinator does not keep house: ${message}`, { code });
      lastCode = code;
    }
    onHouse();
    if (!isStopped) timer = STEADY_TIMERS.after(HOUSE_MS, begin);
  };
  let running: Promise<void> = Promise.resolve();
  const begin = () => {
    running = once();
  };
  let timer = STEADY_TIMERS.after(0, begin);
  return {
    async stop(): Promise<void> {
      isStopped = true;
      timer.cancel();
      await running;
    },
  };
}

function trustOf({ trust }: FleetConfig): ReturnType<CoordinatorOptions['trust']> {
  const { anchors, certificates, revocationLists } = trust;
  return {
    anchors: loadTrust(anchors).anchors,
    certificates: loadCertificates(certificates),
    ...(revocationLists.length > 0 ? { crls: loadRevocationLists(revocationLists) } : {}),
  };
}

function databaseOf({ database }: FleetConfig): CoordinatorOptions['database'] {
  if (database.kind === 'postgres') return { kind: 'postgres', url: databaseUrl(database) };
  mkdirSync(dirname(database.path), { recursive: true, mode: FOLDER_MODE });
  return database;
}

function again(log: Log, what: string, read: () => void): void {
  try {
    read();
    log.write('info', `the ${what} were read again`, { code: 'read-again' });
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    log.write('error', `the ${what} stay as they were: ${error.message}`, { code: error.code });
  }
}
