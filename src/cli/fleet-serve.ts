/** `uplift fleet serve --config FILE`: the coordinator of a fleet, until it is told to stop. */
import { describeProblem } from '../config/codes.ts';
import { loadFleet } from '../config/fleet.ts';
import type { ExitCode } from '../errors.ts';
import type { FleetMetrics } from '../observe/fleet-metrics.ts';
import { openLog } from '../observe/log.ts';
import { startFleet } from '../service/fleet.ts';
import { openNotifier } from '../service/notify.ts';
import { stopOnSignals } from '../service/signals.ts';
import { STEADY_TIMERS } from '../service/steady-timers.ts';
import { supervise } from '../service/supervision.ts';
import { FLEET_PARTS } from '../service/watchdog.ts';
import { SYSTEM_TIMERS } from '../transport/serial/driver.ts';

export interface FleetServeOptions {
  config: string;
}

/** Resolves with the exit code when the service has stopped. */
export async function serveFleet(options: FleetServeOptions, version: string): Promise<ExitCode> {
  const { config, warnings } = loadFleet(options.config);
  const log = openLog({ gateway: config.name, level: config.log.level });
  for (const warning of warnings)
    log.write('warning', describeProblem(warning), { code: warning.code });
  const notifier = openNotifier({
    onFailure: (reason) => log.write('warning', `systemd-notify: ${reason}`, { code: 'notify' }),
  });
  let metrics: FleetMetrics | undefined;
  const supervision = supervise({
    ...{ notifier, log, parts: FLEET_PARTS },
    onLoopDelay: (seconds) => metrics?.eventLoopDelay(seconds),
  });
  const service = await startFleet(config, {
    version,
    log,
    timers: SYSTEM_TIMERS,
    onHouse: () => supervision.beat('house'),
  }).catch((error: unknown) => {
    supervision.stop();
    throw error;
  });
  metrics = service.metrics;
  log.write('info', `serves at ${service.places}`, { code: 'ready' });
  void notifier.ready(`serves at ${service.places}`);
  process.on('SIGHUP', service.reload);
  return new Promise((resolve) => {
    const release = stopOnSignals({
      deadlineMs: config.stopWithinMs,
      timers: STEADY_TIMERS,
      log,
      async stop() {
        void notifier.stopping('answers whoever waits');
        await service.stop();
        supervision.stop();
      },
      exit(code) {
        release();
        process.off('SIGHUP', service.reload);
        resolve(code);
      },
    });
  });
}
