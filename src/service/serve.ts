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
import { momentMs } from '../config/moment.ts';
import { assert } from '../errors.ts';
import { AdmissionDesk, type DeskSite } from '../gateway/admission-desk.ts';
import { LIST_FIELDS, type ListKind } from '../gateway/control.ts';
import { Gateway } from '../gateway/gateway.ts';
import { RigField } from '../gateway/rig-field.ts';
import { ServiceControl } from '../gateway/service-control.ts';
import { takeSystemPorts } from '../gateway/system-ports.ts';
import { isOver } from '../jobs/states.ts';
import type { GatewayMetrics } from '../observe/metrics.ts';
import type { Log } from '../ports.ts';
import { PREPAYMENT_BLACKOUT } from '../schedule/blackout.ts';
import { RETRY_POLICY, RetryDesk, type RetryPolicy } from '../schedule/retry.ts';
import { Scheduler } from '../schedule/scheduler.ts';
import { type HoursSource, type LocalHours, parseHours } from '../schedule/windows.ts';
import { ImageStore } from '../store/images.ts';
import { Journal } from '../store/journal.ts';
import { tellRecords } from './telling.ts';

export interface Service {
  control: ServiceControl;
  /** Everything that is due by itself; says what made progress. */
  keepHouse(): { journal: boolean; scheduler: boolean };
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
  const { stateFolder, rigs } = config;
  const listFolder = join(stateFolder, 'lists');
  mkdirSync(listFolder, { recursive: true, mode: 0o750 });
  const { headFile, bytesMax, retentionDays } = config.journal;
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
      const site = { ...siteOf(config), ...listsOnRecord(journal) };
      const desk = new AdmissionDesk(rigs, site, images, (rig) => ports.folderOf(rig));
      const field = new RigField({ rigs, ports });
      const { hours, windows } = hoursOf(config);
      const scheduler = new Scheduler(new RetryDesk(RANDOM, Date.now(), retryOf(config)));
      for (const { id } of rigs.flatMap((rig) => rig.coordinators)) {
        scheduler.setPace(`network:${id}`, config.schedule.devicesAtOnce.perNetwork);
      }
      const gateway = new Gateway({
        timers: ports.timers,
        journal,
        field,
        scheduler,
        brief: (image, device) => desk.brief(image, device),
        expectedMs: (image, device) => desk.expectedMs(image, device),
        hasImage: (sha256) => images.has(sha256),
        admitted: (device) => desk.admitted(device, Date.now()),
        windows,
        ...(hours ? { blackout: hours } : {}),
      });
      gateway.listen(tellRecords(gateway, log, metrics));
      const control = new ServiceControl({
        ...{ id: config.id, version, gateway, journal, images, desk, listFolder },
        nowMs: Date.now,
      });
      tellReport(report, log);
      gateway.start();
      if (report.damage) gateway.tell({ kind: 'journal-damage', ...report.damage });
      const keepHouse = () => {
        const nowMs = Date.now();
        const before = nowMs - retentionDays * DAY_MS;
        gateway.keepHouse(() => {
          images.handleTimeout(nowMs);
          retire(journal, gateway, before, nowMs);
        });
        return {
          journal: journal.state.state === 'ready',
          scheduler: gateway.condition.state === 'ready',
        };
      };
      return {
        control,
        keepHouse,
        stop: async () => {
          gateway.stop();
          await field.close();
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

/** What is told once for every rig; a rig's own goes first. */
function siteOf({ admission }: GatewayConfig): DeskSite {
  const { listsFetched, columns, listAges, certificates, revocationLists, zseSigners } = admission;
  const stamp =
    listsFetched === undefined
      ? undefined
      : { fetchedAtMs: momentMs(listsFetched)!, source: 'the configuration' };
  return {
    intake: admission.intake,
    trust: admission.trustAnchors,
    certificates: certificates.length > 0 ? certificates : undefined,
    revocationLists: revocationLists.length > 0 ? revocationLists : undefined,
    zseSigners: zseSigners.length > 0 ? zseSigners : undefined,
    centralProductsList: admission.centralProductsList,
    eligibleCombinations: admission.eligibleCombinations,
    pendingCombinations: admission.pendingCombinations,
    installations: admission.installations,
    columns,
    listMapping: columns?.centralProductsList,
    floors: admission.floors,
    waiver: admission.waiver,
    stamp,
    ages: listAges,
  };
}

/** Lists that came in by a door are in force until others do, whatever is started when. */
function listsOnRecord(journal: Journal): DeskSite {
  const site: DeskSite = {};
  for (const record of journal.records(1)) {
    if (record.kind !== 'list') continue;
    const { list, path, fetchedAtMs, source } = record as unknown as {
      list: ListKind;
      path: string;
      fetchedAtMs: number;
      source: string;
    };
    Object.assign(site, { [LIST_FIELDS[list]]: path, stamp: { fetchedAtMs, source } });
  }
  return site;
}

function hoursOf({ schedule }: GatewayConfig): {
  hours: LocalHours | undefined;
  windows: Record<string, LocalHours>;
} {
  const { timeZone: zone, windows, prepaymentBlackout } = schedule;
  const blackout =
    prepaymentBlackout === undefined ? PREPAYMENT_BLACKOUT.hours : { weekly: prepaymentBlackout };
  const isNone = prepaymentBlackout !== undefined && prepaymentBlackout.length === 0;
  return {
    hours: isNone ? undefined : parsed({ zone, ...blackout }),
    windows: Object.fromEntries(
      Object.entries(windows).map(([name, window]) => [name, parsed({ zone, ...window })]),
    ),
  };
}

function parsed(source: HoursSource): LocalHours {
  const result = parseHours(source);
  assert(result.ok, 'hours were checked when the configuration was read');
  return result.hours;
}

function retryOf({ schedule }: GatewayConfig): RetryPolicy {
  const backoff = { ...RETRY_POLICY.backoff };
  for (const [name, told] of Object.entries(schedule.retry)) {
    if (!told) continue;
    const key = name as keyof typeof backoff;
    const { retriesMax, baseMs, capMs } = told;
    backoff[key] = {
      ...backoff[key],
      ...(baseMs === undefined ? {} : { baseMs }),
      ...(capMs === undefined ? {} : { capMs }),
      ...(retriesMax === undefined
        ? {}
        : { retriesMax: retriesMax === 'until-deadline' ? Number.POSITIVE_INFINITY : retriesMax }),
    };
  }
  return { ...RETRY_POLICY, backoff };
}

function tellReport({ records, unacknowledged, damage }: ReportOf, log: Log): void {
  log.write('info', `the journal has ${records} records`, { unacknowledged });
  if (damage) {
    const { code, detail, movedTo } = damage;
    const where = movedTo === undefined ? '' : `; what it was is in ${movedTo}`;
    log.write('error', `the journal was damaged: ${detail}${where}`, { code });
  }
}

type ReportOf = ReturnType<typeof Journal.open>['report'];

/** Records that an open job is told by stay, however old they are. */
function retire(journal: Journal, gateway: Gateway, olderThanMs: number, nowMs: number): void {
  const [first] = journal.records(1, 1);
  if (!first || first.atMs >= olderThanMs) return;
  const open = [...gateway.book.jobs].filter(({ upgrades }) =>
    upgrades.some(({ state }) => !isOver(state)),
  );
  const isNeeded = open.some(({ createdMs }) => createdMs < olderThanMs);
  const bound = isNeeded ? Math.min(...open.map(({ createdMs }) => createdMs)) : olderThanMs;
  if (journal.retire({ olderThanMs: bound }, nowMs)) gateway.book.retire(bound);
}
