/**
 * The DCC's public test tool, its schema and its test PKI, for tests alone: GPL-3.0-or-later, so it runs as
 * a program of its own, and nothing of it is imported or shipped. `scripts/setup-interop` brings it.
 *
 * It says more by words than by its exit code: of a response with no signature, or with two, it says
 * `validation check skipped` and exits with 0. Here that is not validated.
 */
import { spawn } from 'node:child_process';
import { createPrivateKey, type KeyObject } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { unzipSync } from 'fflate';
import { parsePem } from '../../src/trust/pem.ts';
import { type Certificate, parseCertificate } from '../../src/trust/x509.ts';
import type { KnownSigners } from '../../src/trust/xml-signature.ts';
import { hasTool } from '../interop/tools.ts';
import { AT_MS, anchor } from '../trust/test-pki.ts';

const FOLDER = resolve(import.meta.dirname, '../../.toolchain/duis');
const PACKAGES = join(FOLDER, 'node_modules/@smartdcc');
const JAR = join(PACKAGES, 'duis-sign-wrap/dist/tool.jar');
const KEYSTORE = join(PACKAGES, 'dccboxed-keystore/keystore.json');
/** What is taken out of the jar. */
const SCHEMA_FOLDER = join(FOLDER, 'schema');
const SCHEMA = 'DUIS Schema V5.1.xsd';
const CLASSES = 'uk.co.smartdcc.boxed.xmldsig';
/** A run lasts a second: no time to compile well, or to gather garbage. */
const JAVA_OPTIONS = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmn64m'];
const LIMIT_MS = 60_000;

/** Exit codes, as measured. */
export const TOOL_EXIT = {
  good: 0,
  system: 1,
  unreadable: 2,
  signerUnknown: 3,
  refused: 10,
} as const;

export interface ToolRun {
  exit: number | null;
  output: string;
  /** What it says of its steps. */
  messages: string;
}

export interface Validation extends ToolRun {
  /** It has looked at the signature, and found it good. */
  isValidated: boolean;
  /** It has not looked at all. */
  isSkipped: boolean;
}

/** A key of the test PKI. */
export interface ToolIdentity {
  certificate: Certificate;
  privateKey: KeyObject;
  certificatePem: string;
  keyPem: string;
}

/** What of it is not here, or `undefined`. */
export function missingOfDuisTool(): string | undefined {
  for (const program of ['java', 'xmllint']) if (!hasTool(program)) return program;
  const files = { '@smartdcc/duis-sign-wrap': JAR, '@smartdcc/dccboxed-keystore': KEYSTORE };
  for (const [name, file] of Object.entries(files)) if (!existsSync(file)) return name;
  return undefined;
}

/**
 * Puts a signature into a request, or into a response with `signer`. Without `preserveCounter` the counter
 * of its RequestID becomes the present time.
 */
export function sign(
  xml: string,
  options: { preserveCounter?: boolean; signer?: ToolIdentity } = {},
): Promise<ToolRun> {
  const { preserveCounter = true, signer } = options;
  const flags = preserveCounter ? ['--preserveCounter'] : [];
  if (!signer) return runJava('Sign', flags, xml);
  const files = { 'certificate.pem': signer.certificatePem, 'key.pem': signer.keyPem };
  return withFiles(files, (paths) => runJava('Sign', [...flags, ...paths], xml));
}

/** By the schema, then the signature; `certificate`, else it takes the one of that serial number. */
export async function validate(xml: string, certificatePem?: string): Promise<Validation> {
  const files: Record<string, string> =
    certificatePem === undefined ? {} : { 'certificate.pem': certificatePem };
  const ran = await withFiles(files, (paths) => runJava('Validate', paths, xml));
  const isGood = ran.exit === TOOL_EXIT.good;
  return {
    ...ran,
    isValidated: isGood && ran.messages.includes('passed signature check'),
    isSkipped: isGood && ran.messages.includes('validation check skipped'),
  };
}

/** What xmllint says against the schema, of each document; empty where it is valid. One run for all. */
export async function schemaErrors(documents: readonly string[]): Promise<string[]> {
  takeOutSchema();
  const files = Object.fromEntries(documents.map((xml, index) => [`${index}.xml`, xml]));
  return withFiles(files, async (paths) => {
    const schema = join(SCHEMA_FOLDER, SCHEMA);
    const { exit, messages } = await run(
      'xmllint',
      ['--noout', '--nonet', '--schema', schema, ...paths],
      '',
    );
    const lines = messages.split('\n');
    return paths.map((path) => {
      const isValid = lines.includes(`${path} validates`);
      const said = lines.filter((line) => line.startsWith(path) && line !== `${path} validates`);
      return isValid && said.length === 0 ? '' : said.join('\n') || `exit ${exit}: ${messages}`;
    });
  });
}

/** By EUI-64 and by the name that the test PKI gives to the key. */
export function identityOf(eui64: string, name: string): ToolIdentity {
  const keystore = JSON.parse(readFileSync(KEYSTORE, 'utf8')) as Record<
    string,
    { digitalSignature: Record<string, { name: string; certificate: string; privateKey: string }> }
  >;
  const found = Object.values(keystore[eui64]?.digitalSignature ?? {}).find(
    (entry) => entry.name === name,
  );
  if (!found) throw new Error(`the test PKI has no ${name} of ${eui64}`);
  const pem = parsePem(found.certificate);
  const certificate = pem.ok ? parseCertificate(pem.blocks[0]!.der) : pem;
  if (!certificate.ok) throw new Error(certificate.message);
  return {
    certificate,
    privateKey: createPrivateKey(found.privateKey),
    certificatePem: found.certificate,
    keyPem: found.privateKey,
  };
}

/** Who believes this one alone: the test PKI comes without its CA. */
export function signersOf({ certificate }: ToolIdentity): KnownSigners {
  return {
    certificates: [certificate],
    anchors: [anchor(certificate.der, 'xml-signing')],
    atMs: AT_MS,
  };
}

/** So many at once as there are cores; results in the order of `items`. */
export async function each<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return results;
}

function runJava(
  main: 'Sign' | 'Validate',
  args: readonly string[],
  xml: string,
): Promise<ToolRun> {
  return run('java', [...JAVA_OPTIONS, '-cp', JAR, `${CLASSES}.${main}`, '-', ...args], xml);
}

function run(program: string, args: readonly string[], input: string): Promise<ToolRun> {
  const child = spawn(program, args, { stdio: 'pipe', timeout: LIMIT_MS, killSignal: 'SIGKILL' });
  const output: Buffer[] = [];
  const messages: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => messages.push(chunk));
  // It may leave before it has read all.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (exit) => {
      const [out, said] = [output, messages].map((chunks) => Buffer.concat(chunks).toString());
      done({ exit, output: out!, messages: said! });
    });
  });
}

async function withFiles<R>(
  files: Readonly<Record<string, string>>,
  work: (paths: string[]) => Promise<R>,
): Promise<R> {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-duis-tool-'));
  try {
    const paths = Object.entries(files).map(([name, content]) => {
      writeFileSync(join(folder, name), content, { mode: 0o600 });
      return join(folder, name);
    });
    return await work(paths);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Once: a schema that is there is of that jar. */
function takeOutSchema(): void {
  if (existsSync(join(SCHEMA_FOLDER, SCHEMA))) return;
  mkdirSync(SCHEMA_FOLDER, { recursive: true });
  const entries = unzipSync(readFileSync(JAR), { filter: ({ name }) => /\.(xsd|dtd)$/.test(name) });
  // The one that is looked for comes last: two may take it out at once.
  const names = Object.keys(entries).sort((a, b) => Number(a === SCHEMA) - Number(b === SCHEMA));
  for (const name of names) writeFileSync(join(SCHEMA_FOLDER, name), entries[name]!);
}
