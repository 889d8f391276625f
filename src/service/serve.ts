/**
 * The gateway service, put together: its store, the rigs that it owns, the gateway over them, and what
 * watches all of it. Doors are opened by whoever starts it.
 *
 * Order of the start: the store is proved, the rigs are taken, the journal is replayed, then ports are
 * opened. Order of the stop: nothing new begins, devices are left so that they keep what they have, ports
 * are given back, and the journal is closed last.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayConfig } from '../config/gateway.ts';
import { type Dcc, startDcc } from '../dcc/start.ts';
import { type Campaigns, startCampaigns } from '../fleet/agent/start.ts';
import { FRONT_GATEWAY_LIMITS } from '../fleet/front/fleet-field.ts';
import { frontRig, startFront } from '../fleet/front/start.ts';
import { AdmissionDesk } from '../gateway/admission-desk.ts';
import { Gateway } from '../gateway/gateway.ts';
import { RigField } from '../gateway/rig-field.ts';
import { ServiceControl } from '../gateway/service-control.ts';
import { StandingRecords } from '../gateway/standing.ts';
import { takeSystemPorts } from '../gateway/system-ports.ts';
import { isOver } from '../jobs/states.ts';
import type { GatewayMetrics } from '../observe/metrics.ts';
import type { Log } from '../ports.ts';
import { RetryDesk } from '../schedule/retry.ts';
import { Scheduler } from '../schedule/scheduler.ts';
import { ImageStore } from '../store/images.ts';
import { Journal } from '../store/journal.ts';
import { frontRetryOf, hoursOf, paceOf, retryOf, siteOf } from './choices.ts';
import { JournalCopies } from './journal-copies.ts';
import { tellRecords } from './telling.ts';

export interface Service {
  control: ServiceControl;
  /** Where the configuration has Service Users. */
  dcc: Dcc | undefined;
  /** Everything that is due by itself; says what made progress. */
  keepHouse(): { journal: boolean; scheduler: boolean };
  /** Its store takes no more; nothing but a start anew helps. */
  readonly isFaulted: boolean;
  /** Resolves when every device and port is left in order. */
  stop(): Promise<void>;
}

const HOUSE_MS = 5_000;
const DAY_MS = 24 * 3_600_000;

/** @throws UpliftError */
export function startService(
  config: GatewayConfig,
  { version, log, metrics }: { version: string; log: Log; metrics: GatewayMetrics },
): Service {
  const { stateFolder, front } = config;
  const rigs = front ? [frontRig(config.path, stateFolder)] : config.rigs;
  const listFolder = join(stateFolder, 'lists');
  mkdirSync(listFolder, { recursive: true, mode: 0o750 });
  const { headFile, bytesMax, retentionDays, backup } = config.journal;
  const { journal, report } = Journal.open(
    join(stateFolder, 'journal'),
    { bytesMax, ...(headFile === undefined ? {} : { headPath: headFile }) },
    Date.now(),
  );
  try {
    const { images } = ImageStore.open(
      join(stateFolder, 'images'),
      { imageBytesMax: config.images.fileBytesMax, totalBytesMax: config.images.allBytesMax },
      Date.now(),
    );
    const ports = takeSystemPorts(rigs);
    try {
      const standing = new StandingRecords();
      for (const record of journal.records(1)) standing.keep(record);
      const site = { ...siteOf(config), ...standing.site };
      const desk = new AdmissionDesk(rigs, site, images, (rig) => ports.folderOf(rig));
      const field = front
        ? startFront({
            ...{ id: config.id, config: front, rig: rigs[0]!, stateFolder, desk, log },
            timers: ports.timers,
          })
        : new RigField({ rigs, ports, ...paceOf(config) });
      const { hours, windows } = hoursOf(config);
      const scheduler = new Scheduler(
        new RetryDesk(RANDOM, Date.now(), front ? frontRetryOf(config) : retryOf(config)),
        // A campaign has a pace of its own.
        front ? undefined : config.schedule.devicesAtOnce.perGateway,
      );
      // Where it is measured the field says what it comes to.
      for (const { id } of rigs.flatMap((rig) => rig.coordinators)) {
        scheduler.setPace(`network:${id}`, config.schedule.devicesAtOnce.perNetwork);
      }
      const gateway = new Gateway({
        timers: ports.timers,
        journal,
        field,
        scheduler,
        brief: (image, device, request) => desk.brief(image, device, request),
        expectedMs: (image, device) => desk.expectedMs(image, device),
        hasImage: (sha256) => images.has(sha256),
        admitted: (device) => desk.admitted(device, Date.now()),
        windows,
        ...(hours ? { blackout: hours } : {}),
        ...(front ? { limits: FRONT_GATEWAY_LIMITS } : {}),
      });
      gateway.listen(tellRecords(gateway, log, metrics));
      gateway.listen({ record: (record) => standing.keep(record), progress() {} });
      const copies = new JournalCopies({ journal, dated: backup, log });
      const control = new ServiceControl({
        ...{ id: config.id, version, gateway, journal, images, desk, standing, listFolder },
        duis: () => dcc?.service,
        campaigns: () => campaigns?.control,
        nowMs: Date.now,
      });
      tellReport(report, log);
      const { duis } = config;
      const { timers } = ports;
      const dcc =
        duis &&
        startDcc({
          ...{ config: { ...config, duis }, gateway, desk, images },
          journal,
          timers,
          log,
        });
      const campaigns =
        config.campaigns &&
        startCampaigns({
          ...{ config: { ...config, campaigns: config.campaigns }, version, gateway, desk },
          ...{ images, journal, timers, log },
        });
      gateway.start();
      dcc?.service.start();
      campaigns?.start();
      if (report.damage) gateway.tell({ kind: 'journal-damage', ...report.damage });
      const keepHouse = () => {
        const nowMs = Date.now();
        const before = nowMs - retentionDays * DAY_MS;
        gateway.keepHouse(() => {
          images.handleTimeout(nowMs);
          retire({ journal, gateway, standing, dcc, campaigns }, before, nowMs);
          dcc?.service.keepHouse(nowMs);
          campaigns?.keepHouse();
          if (dcc) metrics.journalUnacked(dcc.service.waiting);
        });
        if (journal.state.state === 'ready') copies.keepHouse(nowMs);
        return {
          journal: journal.state.state === 'ready',
          scheduler: gateway.condition.state === 'ready',
        };
      };
      return {
        control,
        dcc,
        keepHouse,
        get isFaulted() {
          const parts = [journal.state.state, images.state.state];
          return parts.includes('faulted') || gateway.condition.state === 'degraded';
        },
        stop: async () => {
          dcc?.service.stop();
          await campaigns?.stop();
          gateway.stop();
          await field.close();
          await copies.settled();
          ports.close();
          images.close();
          journal.close();
        },
      };
    } catch (error) {
      ports.close();
      images.close();
      throw error;
    }
  } catch (error) {
    journal.close();
    throw error;
  }
}

export { HOUSE_MS };

const RANDOM = { next: Math.random };

function tellReport({ records, unacknowledged, damage }: ReportOf, log: Log): void {
  log.write('info', `the journal has ${records} records`, { unacknowledged });
  if (damage) {
    const { code, detail, movedTo } = damage;
    const where = movedTo === undefined ? '' : `; what it was is in ${movedTo}`;
    log.write('error', `the journal was damaged: ${detail}${where}`, { code });
  }
}

type ReportOf = ReturnType<typeof Journal.open>['report'];

/** Records that an open job is told by stay, however old they are; what still counts is said again. */
function retire(
  { journal, gateway, standing, dcc, campaigns }: Retiring,
  olderThanMs: number,
  nowMs: number,
): void {
  const [first] = journal.records(1, 1);
  if (!first || first.atMs >= olderThanMs) return;
  const open = [...gateway.book.jobs].filter(({ upgrades }) =>
    upgrades.some(({ state }) => !isOver(state)),
  );
  const neededMs = Math.min(
    dcc?.service.neededSinceMs() ?? olderThanMs,
    campaigns?.neededSinceMs(nowMs) ?? olderThanMs,
  );
  const boundMs = Math.min(olderThanMs, neededMs, ...open.map(({ createdMs }) => createdMs));
  if (first.atMs >= boundMs) return;
  const again = [
    ...standing.olderThan(boundMs),
    ...(dcc?.service.restated() ?? []),
    ...(campaigns?.follower.ledger.restated(nowMs) ?? []),
  ];
  if (again.length > 0) gateway.record(...again);
  if (!journal.retire({ olderThanMs: boundMs }, nowMs)) return;
  gateway.retire(boundMs);
  dcc?.service.retire(boundMs);
  campaigns?.retire(boundMs);
}

interface Retiring {
  journal: Journal;
  gateway: Gateway;
  standing: StandingRecords;
  dcc: Dcc | undefined;
  campaigns: Campaigns | undefined;
}
