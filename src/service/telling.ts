/** What is told of a gateway's records to whoever watches: a line of the log, a number of the metrics. */
import type { GatewayListener, GatewayRecord } from '../gateway/control.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { isOver, type UpgradeState } from '../jobs/states.ts';
import type { GatewayMetrics } from '../observe/metrics.ts';
import type { Log, LogLevel } from '../ports.ts';

const BAD: readonly string[] = ['failed', 'unknown-outcome', 'expired'];

/** Neither log nor metrics may throw into what is between a record and its action. */
export function tellRecords(gateway: Gateway, log: Log, metrics: GatewayMetrics): GatewayListener {
  const states = new Map<string, string>();
  const sent = new Map<string, { bytes: number; repeats: number }>();
  const startedMs = new Map<string, number>();
  /** Those that are up. */
  const links = new Set<string>();
  const linkOf = (device: string) =>
    gateway.device(device)?.link.startsWith('network:') ? 'zigbee' : 'serial';
  const tellState = (record: GatewayRecord): void => {
    const { job, device, state, code, detail } = record as unknown as {
      job: string;
      device: string;
      state: UpgradeState;
      code?: string;
      detail?: string;
    };
    metrics.deviceState(states.get(device), state);
    states.set(device, state);
    if (state === 'distributing') startedMs.set(device, record.atMs);
    const began = startedMs.get(device);
    if (state === 'distributed' && began !== undefined) {
      metrics.transferDuration(linkOf(device), (record.atMs - began) / 1000);
      startedMs.delete(device);
    }
    if (isOver(state)) {
      metrics.result(state, code ?? 'none');
      sent.delete(`${job}/${device}`);
    }
    const level: LogLevel = BAD.includes(state) ? 'warning' : 'info';
    const words = detail === undefined ? state : `${state}: ${detail}`;
    const fields = { dev: device, job, seq: record.sequence, ...(code ? { code } : {}) };
    log.write(level, words, fields);
  };
  return {
    record: (record) => {
      const seq = record.sequence;
      if (record.kind === 'state') tellState(record);
      else if (record.kind === 'decision') tellDecision(record, log, metrics);
      else if (record.kind === 'job' || record.kind === 'command') {
        log.write('info', `${record.kind} by ${record['by']}`, { job: `${record['job']}`, seq });
      } else if (record.kind === 'gateway-started' || record.kind === 'gateway-stopped') {
        log.write('info', record.kind, { seq });
      }
    },
    progress: ({ job, device, sentBytes, repeats }) => {
      const key = `${job}/${device}`;
      const link = linkOf(device);
      const before = sent.get(key) ?? { bytes: 0, repeats: 0 };
      if (sentBytes > before.bytes) metrics.transferBytes(link, sentBytes - before.bytes);
      const more = repeats - before.repeats;
      if (link === 'serial' && more > 0) metrics.serialErrors('repeat', more);
      sent.set(key, { bytes: sentBytes, repeats });
    },
    link: (link, up) => {
      if (!up && links.has(link) && link.startsWith('port:')) metrics.serialErrors('unplug', 1);
      if (up) links.add(link);
      else links.delete(link);
    },
  };
}

function tellDecision(record: GatewayRecord, log: Log, metrics: GatewayMetrics): void {
  const { decision, subject } = record as unknown as {
    decision: { verdict: string; ruleId?: string };
    subject: { device?: string };
  };
  if (decision.verdict !== 'refused') return;
  const code = decision.ruleId ?? 'unknown';
  metrics.verifyFailure(code);
  log.write('warning', 'refused', {
    code,
    seq: record.sequence,
    ...(subject.device === undefined ? {} : { dev: subject.device }),
  });
}
