/** `uplift serve --config FILE`: the gateway service, until it is told to stop. */
import { ApiServer } from '../api/server.ts';
import { describeProblem } from '../config/codes.ts';
import { type GatewayConfig, loadGateway } from '../config/gateway.ts';
import { type ExitCode, UpliftError } from '../errors.ts';
import { openLog } from '../observe/log.ts';
import { type MetricsPage, openMetrics } from '../observe/metrics.ts';
import { listenForMetrics } from '../observe/metrics-listener.ts';
import type { Log } from '../ports.ts';
import { type Notifier, openNotifier } from '../service/notify.ts';
import { Reopening } from '../service/reopening.ts';
import { HOUSE_MS, type Service, startService } from '../service/serve.ts';
import { stopOnSignals } from '../service/signals.ts';
import { STEADY_TIMERS } from '../service/steady-timers.ts';
import { supervise } from '../service/supervision.ts';
import { sqliteVersion } from '../store/sqlite.ts';
import { SYSTEM_TIMERS } from '../transport/serial/driver.ts';

export interface ServeOptions {
  config: string;
}

interface Surroundings {
  config: GatewayConfig;
  version: string;
  log: Log;
  notifier: Notifier;
  reopening: Reopening;
}

/** Resolves with the exit code when the service has stopped. */
export async function serve(options: ServeOptions, version: string): Promise<ExitCode> {
  const { config, warnings } = loadGateway(options.config);
  const log = openLog({ gateway: config.id, level: config.log.level });
  for (const warning of warnings)
    log.write('warning', describeProblem(warning), { code: warning.code });
  const notifier = openNotifier({
    onFailure: (reason) => log.write('warning', `systemd-notify: ${reason}`, { code: 'notify' }),
  });
  const reopening = new Reopening(config.stateFolder);
  for (;;) {
    const end = await serveUntil({ config, version, log, notifier, reopening });
    if (end !== 'reopen') return end;
    log.write('warning', 'the disk takes bytes again: the store is opened anew', {
      code: 'reopening',
    });
  }
}

/** From a start to a stop, or until the store that failed may be opened anew. */
async function serveUntil(around: Surroundings): Promise<ExitCode | 'reopen'> {
  const { config, version, log, notifier, reopening } = around;
  const metrics = openMetrics({ version, node: process.version, sqlite: sqliteVersion() });
  const service = startService(config, { version, log, metrics });
  const doors = await openDoors(around, service, metrics).catch(async (error: unknown) => {
    await service.stop();
    throw error;
  });
  const supervision = supervise({
    notifier,
    log,
    onLoopDelay: (seconds) => metrics.eventLoopDelay(seconds),
  });
  log.write('info', `serves at ${doors.places}`, { code: 'ready' });
  void notifier.ready(`serves at ${doors.places}`);
  return new Promise((resolve) => {
    const stop = async () => {
      timer.cancel();
      process.off('SIGHUP', doors.reload);
      await doors.close();
      await service.stop();
      supervision.stop();
    };
    const keepHouse = (): void => {
      const { journal, scheduler } = service.keepHouse();
      // A store that failed does not hang: it is opened anew when its disk is well.
      if (journal || service.isFaulted) supervision.beat('journal');
      if (scheduler || service.isFaulted) supervision.beat('scheduler');
      timer = STEADY_TIMERS.after(HOUSE_MS, keepHouse);
      if (!reopening.isDue(service.isFaulted, STEADY_TIMERS.nowMs())) return;
      release();
      void stop().then(() => resolve('reopen'));
    };
    let timer = STEADY_TIMERS.after(0, keepHouse);
    const release = stopOnSignals({
      deadlineMs: config.stopWithinMs,
      timers: STEADY_TIMERS,
      log,
      stop: () => {
        void notifier.stopping('leaves the devices so that they keep what they have');
        return stop();
      },
      exit: (code) => {
        release();
        resolve(code);
      },
    });
    process.on('SIGHUP', doors.reload);
  });
}

/** Everything by which it is reached. @throws UpliftError */
async function openDoors(
  { config, version, log }: Surroundings,
  service: Service,
  metrics: MetricsPage,
): Promise<{ places: string; reload: () => void; close: () => Promise<void> }> {
  const { serve, listen } = config.metrics;
  const api = await ApiServer.start({
    control: service.control,
    config: config.api,
    timers: SYSTEM_TIMERS,
    log,
    version,
    ...(serve === 'api' ? { metrics } : {}),
  });
  const listener = listen
    ? await listenForMetrics(listen, metrics).catch(async (error: unknown) => {
        await api.close();
        throw error;
      })
    : undefined;
  const duis = await service.dcc?.openDoor().catch(async (error: unknown) => {
    await api.close();
    await listener?.close();
    throw error;
  });
  const { socket, tcp } = config.api;
  const places = [
    socket.path,
    ...(tcp ? [`${tcp.listen.host}:${api.address?.port}`] : []),
    ...(duis ? [`${duis.address.host}:${duis.address.port} (Service Requests)`] : []),
    ...(listen && listener ? [`${listen.host}:${listener.port} (metrics)`] : []),
  ];
  return {
    places: places.join(' and '),
    reload: () => reloadTokens(api, log),
    close: async () => {
      await duis?.close();
      await api.close();
      await listener?.close();
    },
  };
}

/** On SIGHUP: what is wrong in the file leaves the tokens that there are. */
function reloadTokens(api: ApiServer, log: Log): void {
  try {
    api.reloadTokens();
    log.write('info', 'the tokens were read again', { code: 'tokens-read' });
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    log.write('error', `the tokens stay as they were: ${error.message}`, { code: error.code });
  }
}
