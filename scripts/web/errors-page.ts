/**
 * The page of the manual that says what each code means: the tables of codes of every folder, the rules, and
 * the errors of the edge, whose sentences stand where they are thrown. `docs/errors.md` goes before it.
 */
import { globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const SOURCE = resolve(import.meta.dirname, '../../src');

/** A table of codes is a constant of such a name whose values are sentences, or have one. */
const TABLE =
  /^export const ([A-Z_]*(?:CODES|REFUSALS|FAILURES|EXPIRIES|ISSUES|PROBLEMS|REASONS)) = \{/gm;
/** Codes of protocols, which are answered and never shown. */
const NOT_SHOWN = ['REFUSED_CODES', 'ACCEPTED_CODES', 'ALERT_CODES', 'RESPONSE_CODES'];

const FOLDERS: Readonly<Record<string, string>> = {
  admission: 'Admission',
  api: 'The API',
  audit: 'Audit logs and certificates',
  campaign: 'Campaigns',
  config: 'Configuration',
  dcc: 'The door for Service Requests',
  duis: 'Service Requests',
  fleet: 'Fleets',
  gateway: 'The gateway',
  image: 'Images',
  products: 'Lists',
  protocol: 'Protocols',
  readiness: 'Readiness',
  schedule: 'Times and windows',
  store: 'The store',
  trust: 'Signatures and certificates',
  upgrade: 'Upgrades',
  xml: 'XML',
};

interface Meaning {
  sentence: string;
  next: string;
}

export async function readErrorTables(): Promise<Map<string, Map<string, Meaning>>> {
  const folders = new Map<string, Map<string, Meaning>>();
  const put = (file: string, code: string, meaning: Meaning) => {
    const folder = file.split('/')[0]!;
    const codes = folders.get(folder) ?? new Map<string, Meaning>();
    if (!codes.has(code)) codes.set(code, meaning);
    folders.set(folder, codes);
  };
  for (const file of globSync('**/*.ts', { cwd: SOURCE }).sort()) {
    const text = readFileSync(join(SOURCE, file), 'utf8');
    for (const [, name] of text.matchAll(TABLE)) {
      if (NOT_SHOWN.includes(name!)) continue;
      const module = (await import(join(SOURCE, file))) as Record<string, object>;
      for (const [code, value] of Object.entries(module[name!]!)) {
        const meaning = meaningOf(value);
        if (meaning) put(file, code, meaning);
      }
    }
    for (const [code, meaning] of thrownIn(text)) put(file, code, meaning);
  }
  return folders;
}

export async function errorsPage(): Promise<string> {
  const { rules } = await import(join(SOURCE, 'admission/decide.ts'));
  const folders = await readErrorTables();
  const sections = [...folders].flatMap(([folder, codes]) => [
    `## ${FOLDERS[folder] ?? folder}`,
    '',
    ...tableOf([...codes].sort(([a], [b]) => (a < b ? -1 : 1))),
    '',
  ]);
  const ofRules = (rules() as { id: string; text: string }[]).map(
    ({ id, text }): [string, Meaning] => [id, { sentence: text, next: '' }],
  );
  return [
    '# What codes mean',
    '',
    'Each refusal and each failure has a code, the same on the page, on the command line, in the API and in',
    'the log. Look it up here; a code is never given another meaning.',
    '',
    '## Rules of admission',
    '',
    'A refusal by a rule has the name of the rule for its code.',
    '',
    ...tableOf(ofRules),
    '',
    ...sections,
  ].join('\n');
}

function tableOf(codes: readonly [string, Meaning][]): string[] {
  const rows = codes.map(
    ([code, { sentence, next }]) => `| \`${code}\` | ${cell(sentence)} | ${cell(next)} |`,
  );
  return ['| Code | What it means | What to do |', '|---|---|---|', ...rows];
}

function meaningOf(value: unknown): Meaning | undefined {
  if (typeof value === 'string') return { sentence: value, next: '' };
  const { sentence, text, next = '' } = value as Partial<Meaning> & { text?: string };
  const said = sentence ?? text;
  return typeof said === 'string' ? { sentence: said, next } : undefined;
}

/** `new UpliftError('code', 'sentence', { …, next: '…' })`, as far as it is written out there. */
function thrownIn(text: string): [string, Meaning][] {
  const thrown =
    /(?:new UpliftError|super)\(\s*'([a-z0-9-]+)',\s*(['`])([^'`]+)\2([\s\S]{0,600}?)\}\)/g;
  return [...text.matchAll(thrown)].map(([, code, , sentence, rest]) => {
    const [, next = ''] = /\bnext:\s*'([^']+)'/.exec(rest!) ?? [];
    return [code!, { sentence: sentence!.replace(/\$\{[^}]*\}/g, '…'), next }];
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
