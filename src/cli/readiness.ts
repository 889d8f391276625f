/**
 * `uplift readiness INSTALLATIONS`: which are ready for migration, which become so by which upgrades,
 * and what blocks the others. Touches no device and permits nothing.
 */
import { loadListColumns, loadReadinessPolicy } from '../config/lists.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import {
  loadCentralProductsList,
  loadEligibleCombinations,
  loadInstallations,
  loadPendingCombinations,
} from '../gateway/list-library.ts';
import { printable } from '../products/codes.ts';
import { showDeviceModel } from '../products/device-model.ts';
import type { Installation } from '../products/installations.ts';
import type { ListStamp } from '../products/list-age.ts';
import { type Readiness, type ReadinessLists, ReadinessPlanner } from '../readiness/readiness.ts';
import { momentOf } from './inputs.ts';
import { bytesText, type Output, paint } from './output.ts';
import { WorkBar } from './work-bar.ts';

export interface ReadinessOptions {
  cpl: string;
  epcl: string;
  ppct?: string;
  columns?: string;
  policy?: string;
  at?: string;
  fetched?: string;
}

/** Up to so many are told one by one; of more, the totals. */
const TOLD_MAX = 20;
/** Installations between two looks at the clock. */
const BATCH = 500;

export async function readiness(
  path: string,
  options: ReadinessOptions,
  output: Output,
): Promise<ExitCode> {
  const nowMs = options.at === undefined ? Date.now() : momentOf('--at', options.at);
  const columns = options.columns === undefined ? {} : loadListColumns(options.columns);
  const policy = options.policy === undefined ? {} : loadReadinessPolicy(options.policy);
  const stamp = stampOf(options.fetched);
  const { ppct } = options;
  const lists: ReadinessLists = {
    products: loadCentralProductsList(options.cpl, {
      mapping: columns.centralProductsList,
      stamp,
    }),
    eligible: loadEligibleCombinations(options.epcl, {
      mapping: columns.eligibleCombinations,
      stamp,
    }),
    pending:
      ppct === undefined
        ? undefined
        : loadPendingCombinations(ppct, { mapping: columns.pendingCombinations, stamp }),
  };
  const installations = loadInstallations(path, { mapping: columns.installations });
  const planner = new ReadinessPlanner(lists, nowMs, policy);
  const plans = await planAll(planner, installations.entries, output);
  const unread = installations.issues.filter(({ severity }) => severity === 'error').length;
  const totals = totalsOf(plans, unread);
  const document =
    plans.length <= TOLD_MAX || output.json
      ? { at: new Date(nowMs).toISOString(), totals, installations: plans.map(documentOf) }
      : { at: new Date(nowMs).toISOString(), totals };
  output.result(document, linesOf(plans, totals, output.verbose), troublesOf(totals));
  return totals.blocked > 0 || unread > 0 ? EXIT.refused : EXIT.done;
}

interface Totals {
  installations: number;
  ready: number;
  'after-upgrades': number;
  migrated: number;
  blocked: number;
  /** Rows that are no installation: `uplift lists lint --kind installations` says why. */
  unread: number;
  /** An installation with several causes counts for each. */
  causes: Record<string, number>;
  notes: Record<string, number>;
}

async function planAll(
  planner: ReadinessPlanner,
  installations: readonly Installation[],
  output: Output,
): Promise<Readiness[]> {
  const bar = new WorkBar('planning', installations.length, output.quiet || output.json);
  const plans: Readiness[] = [];
  for (const installation of installations) {
    plans.push(planner.plan(installation));
    if (plans.length % BATCH === 0) await bar.reach(plans.length);
  }
  bar.done();
  return plans;
}

function totalsOf(plans: readonly Readiness[], unread: number): Totals {
  const count = (verdict: Readiness['verdict']) =>
    plans.filter((plan) => plan.verdict === verdict).length;
  return {
    installations: plans.length,
    ready: count('ready'),
    'after-upgrades': count('after-upgrades'),
    migrated: count('migrated'),
    blocked: count('blocked'),
    unread,
    causes: counted(plans.map((plan) => (plan.verdict === 'blocked' ? plan.causes : []))),
    notes: counted(plans.map(({ notes }) => notes)),
  };
}

/** How many installations have each code, the most frequent first. */
function counted(lists: readonly (readonly { code: string }[])[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const list of lists) {
    for (const code of new Set(list.map((one) => one.code))) {
      counts.set(code, (counts.get(code) ?? 0) + 1);
    }
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
}

function linesOf(plans: readonly Readiness[], totals: Totals, verbose: boolean): string[] {
  const each = plans.length > TOLD_MAX ? [] : plans.flatMap((plan) => planLines(plan, verbose));
  const verdicts = ['ready', 'after-upgrades', 'migrated', 'blocked'] as const;
  const counts: [string, number][] = verdicts.map((verdict) => [verdict, totals[verdict]]);
  if (totals.unread > 0) counts.push(['unread', totals.unread]);
  const causes = Object.entries(totals.causes);
  return [
    ...each,
    ...(each.length > 0 ? [''] : []),
    `${bytesText(totals.installations)} installations`,
    ...countLines(counts),
    ...(causes.length > 0 ? ['blocked by', ...countLines(causes)] : []),
  ];
}

/** Numbers under one another, by their last digit. */
function countLines(counts: readonly [name: string, count: number][]): string[] {
  const texts = counts.map(([, count]) => bytesText(count));
  const width = Math.max(...texts.map((text) => text.length));
  return counts.map(([name], index) => `  ${texts[index]!.padStart(width)}  ${name}`);
}

function planLines(plan: Readiness, verbose: boolean): string[] {
  const name = printable(plan.installationId);
  const lines = [`${name}: ${headline(plan)}`];
  if (plan.verdict === 'after-upgrades') {
    plan.steps.forEach(({ kind, from, entry, pathway, cover, askedBy }, index) => {
      const to = `${showDeviceModel(from)} to ${entry.firmwareVersion} (${entry.entryId})`;
      const covered = cover ? [`covered by test ${cover.pending.ppctReference}`] : [];
      const parts = [to, `pathway ${pathway}`, `asked by ${askedBy.join(' or ')}`, ...covered];
      lines.push(`  ${index + 1}  ${kind}  ${printable(parts.join(', '))}`);
    });
  }
  const reasons = [
    ...(plan.verdict === 'blocked' ? plan.causes.map((one) => ['✗', one] as const) : []),
    ...plan.notes.map((one) => ['!', one] as const),
  ];
  for (const [mark, { code, text, detail, source, confidence }] of reasons) {
    lines.push(`  ${mark}  ${code}  ${text}${detail ? ` ${printable(detail)}` : ''}`);
    if (verbose) lines.push(`     ${source} (${confidence})`);
  }
  return lines;
}

function headline(plan: Readiness): string {
  switch (plan.verdict) {
    case 'ready':
      return `${paint('green', 'ready')}, combination ${printable(plan.combination.combinationId)}`;
    case 'after-upgrades': {
      const { steps, combination } = plan;
      const upgrades = `${steps.length} upgrade${steps.length === 1 ? '' : 's'}`;
      const to = printable(combination.combinationId);
      return `${paint('yellow', 'ready after')} ${upgrades}, then combination ${to}`;
    }
    case 'migrated':
      return 'migrated';
    default:
      return paint('red', 'blocked');
  }
}

function troublesOf({ blocked, unread, installations }: Totals): string[] {
  if (blocked === 0 && unread === 0) return [];
  return [`${blocked} of ${installations} installations blocked, ${unread} rows unread`];
}

/** For programs: lists are named by their ids, not repeated whole. */
function documentOf(plan: Readiness): unknown {
  const { installationId, verdict, notes } = plan;
  const base = { installationId, verdict };
  switch (plan.verdict) {
    case 'blocked':
      return { ...base, causes: plan.causes, notes };
    case 'ready':
      return { ...base, combinationId: plan.combination.combinationId, notes };
    case 'after-upgrades':
      return {
        ...base,
        combinationId: plan.combination.combinationId,
        steps: plan.steps.map(({ kind, from, entry, pathway, cover, askedBy }) => ({
          kind,
          from,
          entryId: entry.entryId,
          firmwareVersion: entry.firmwareVersion,
          manufacturerImageHash: entry.manufacturerImageHash,
          pathway,
          askedBy,
          ...(cover ? { ppctReference: cover.pending.ppctReference } : {}),
        })),
        notes,
      };
    default:
      return { ...base, notes };
  }
}

function stampOf(text: string | undefined): ListStamp | undefined {
  if (text === undefined) return undefined;
  return { fetchedAtMs: momentOf('--fetched', text), source: 'the command line' };
}
