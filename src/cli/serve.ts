/** `uplift serve --config FILE`: the gateway service, until it is told to stop. */
import { ApiServer } from '../api/server.ts';
import { describeProblem } from '../config/codes.ts';
import { loadGateway } from '../config/gateway.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { openLog } from '../observe/log.ts';
import { openMetrics } from '../observe/metrics.ts';
import { openNotifier } from '../service/notify.ts';
import { HOUSE_MS, startService } from '../service/serve.ts';
import { stopOnSignals } from '../service/signals.ts';
import { STEADY_TIMERS } from '../service/steady-timers.ts';
import { supervise } from '../service/supervision.ts';
import { sqliteVersion } from '../store/sqlite.ts';
import { SYSTEM_TIMERS } from '../transport/serial/driver.ts';

export interface ServeOptions {
  config: string;
}

/** Resolves with the exit code when the service has stopped. */
export async function serve(options: ServeOptions, version: string): Promise<ExitCode> {
  const { config, warnings } = loadGateway(options.config);
  const log = openLog({ gateway: config.id, level: config.log.level });
  for (const warning of warnings)
    log.write('warning', describeProblem(warning), { code: warning.code });
  const metrics = openMetrics({ version, node: process.version, sqlite: sqliteVersion() });
  const notifier = openNotifier({
    onFailure: (reason) => log.write('warning', `systemd-notify: ${reason}`, { code: 'notify' }),
  });
  const service = startService(config, { version, log, metrics });
  const api = await ApiServer.start({
    control: service.control,
    config: config.api,
    timers: SYSTEM_TIMERS,
    log,
    version,
    ...(config.metrics.serve === 'api' ? { metrics } : {}),
  }).catch(async (error: unknown) => {
    await service.stop();
    throw error;
  });
  const supervision = supervise({
    notifier,
    log,
    onLoopDelay: (seconds) => metrics.eventLoopDelay(seconds),
  });
  const keepHouse = (): void => {
    const progress = service.keepHouse();
    if (progress.journal) supervision.beat('journal');
    if (progress.scheduler) supervision.beat('scheduler');
    timer = STEADY_TIMERS.after(HOUSE_MS, keepHouse);
  };
  let timer = STEADY_TIMERS.after(0, keepHouse);
  const { socket, tcp } = config.api;
  const doors = tcp ? `${socket.path} and ${tcp.listen.host}:${api.address?.port}` : socket.path;
  log.write('info', `serves at ${doors}`, { code: 'ready' });
  void notifier.ready(`serves at ${doors}`);
  return new Promise((resolve) => {
    const release = stopOnSignals({
      deadlineMs: config.stopWithinMs,
      timers: STEADY_TIMERS,
      log,
      stop: async () => {
        timer.cancel();
        void notifier.stopping('leaves the devices so that they keep what they have');
        await api.close();
        await service.stop();
        supervision.stop();
      },
      exit: (code) => {
        release();
        resolve(code === EXIT.done ? EXIT.done : code);
      },
    });
  });
}
