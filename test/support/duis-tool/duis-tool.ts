/**
 * The DCC's public test tool for signed requests, as a peer: dccboxed-signing-tool 1.0.6 with the
 * schema DUIS 5.1a, run as a program. It takes any schemaVersion, and applies that schema to all.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { JavaPrograms, type ProgramRun } from './java-programs.ts';
import type { KeystoreEntry } from './keystore.ts';
import { TOOL_JAR } from './places.ts';

/** Its exit codes. */
export const TOOL_EXIT = {
  good: 0,
  /** Of Java, or of the system. */
  failure: 1,
  /** No XML, no document, a DOCTYPE, no argument, no such file. */
  input: 2,
  noCertificate: 3,
  /** Schema or signature failed, or a request has no signature. */
  validation: 10,
} as const;

const SIGN = 'uk.co.smartdcc.boxed.xmldsig.Sign';
const VALIDATE = 'uk.co.smartdcc.boxed.xmldsig.Validate';
const SCHEMA = 'DUIS Schema V5.1.xsd';

/** Integers of libxml2 end at 24 digits; a serial number has up to 49. */
const LONG_SERIAL_NUMBER = /X509SerialNumber': '[0-9]{25,49}' is not a valid value .*xs:integer/;

export interface SignOptions {
  /** Else the counter of the RequestID becomes the present time in milliseconds. Default true. */
  preserveCounter?: boolean;
  /** Absent: the one that the tool has for the originator of the RequestID. */
  signer?: KeystoreEntry;
}

export interface ToolSigning {
  exitCode: number;
  /** Empty where it did not sign. */
  document: string;
  messages: string;
}

export interface ToolVerdict {
  exitCode: number;
  /**
   * `passed` by the tool's own words; exit code 0 is not enough: it is that of `skipped` too, a
   * document other than a Request with no signature, or with two.
   */
  signature: 'passed' | 'skipped' | 'failed';
  /** What it digested, where it came to that. */
  digestInput: string;
  messages: string;
}

/** Open for a whole test file, closed after it: a JVM and a folder of temporary files. */
export class DuisTool {
  private readonly programs = new JavaPrograms(TOOL_JAR);
  private readonly folder = mkdtempSync(join(tmpdir(), 'uplift-duis-tool-'));
  private hasSchema = false;

  async sign(xml: string | Uint8Array, options: SignOptions = {}): Promise<ToolSigning> {
    const { preserveCounter = true, signer } = options;
    const args = ['-', ...(preserveCounter ? ['--preserveCounter'] : [])];
    if (signer) {
      args.push(this.certificateFile(signer));
      args.push(this.file(`${signer.serialNumber}.key.pem`, signer.privateKeyPem));
    }
    const { exitCode, output, messages } = await this.programs.run(SIGN, args, utf8(xml));
    return { exitCode, document: Buffer.from(output).toString(), messages };
  }

  /** The document, or an error with the tool's messages. */
  async signed(xml: string | Uint8Array, options: SignOptions = {}): Promise<string> {
    const { exitCode, document, messages } = await this.sign(xml, options);
    if (exitCode !== TOOL_EXIT.good) throw new Error(`exit ${exitCode}: ${messages}`);
    return document;
  }

  /** @param signer absent: the tool looks the serial number up among its own. */
  async validate(xml: string | Uint8Array, signer?: KeystoreEntry): Promise<ToolVerdict> {
    const args = signer ? ['-', this.certificateFile(signer)] : ['-'];
    return verdictOf(await this.programs.run(VALIDATE, args, utf8(xml)));
  }

  /** Whether the schema takes it, by the tool, whatever becomes of its signatures. */
  async isValid(xml: string | Uint8Array): Promise<boolean> {
    const { messages } = await this.validate(xml);
    const isTaken = messages.includes('passed xsd validation');
    if (messages.includes('failed xsd validation') === isTaken) throw new Error(messages);
    return isTaken;
  }

  /** By libxml2, which is not what the tool has; empty where the document is valid. */
  async schemaErrors(xml: string | Uint8Array): Promise<string[]> {
    const schema = join(this.schemaFolder(), SCHEMA);
    const args = ['--noout', '--nonet', '--huge', '--schema', schema, '-'];
    const { exitCode, complaints } = await runXmllint(args, utf8(xml));
    // 3: not valid. 1: not well-formed, which is no question of the schema.
    if (exitCode === 0) return [];
    if (exitCode !== 3) throw new Error(`xmllint exit ${exitCode}: ${complaints}`);
    const errors = complaints.split('\n').filter((line) => line.includes('Schemas validity error'));
    return errors.filter((line) => !LONG_SERIAL_NUMBER.test(line));
  }

  async close(): Promise<void> {
    await this.programs.close();
    rmSync(this.folder, { recursive: true });
  }

  private certificateFile({ serialNumber, certificatePem }: KeystoreEntry): string {
    return this.file(`${serialNumber}.pem`, certificatePem);
  }

  private file(name: string, content: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, content);
    return path;
  }

  private schemaFolder(): string {
    const folder = join(this.folder, 'schema');
    if (this.hasSchema) return folder;
    mkdirSync(folder);
    const files = unzipSync(readFileSync(TOOL_JAR), { filter: ({ name }) => /\.xsd$/.test(name) });
    for (const [name, bytes] of Object.entries(files)) {
      // libxml2 takes a location for a URI, which has no blanks.
      const text = Buffer.from(bytes).toString();
      const located = text.replace(
        /(schemaLocation=")([^"]*)/g,
        (_, attribute: string, location: string) => attribute + encodeURI(location),
      );
      writeFileSync(join(folder, name), located);
    }
    this.hasSchema = true;
    return folder;
  }
}

/** Of one run of `Validate`, however it was run. */
export function verdictOf({ exitCode, output, messages }: ProgramRun): ToolVerdict {
  const isGood = exitCode === TOOL_EXIT.good;
  const signature = !isGood
    ? 'failed'
    : messages.includes('passed signature check') && !messages.includes('validation check skipped')
      ? 'passed'
      : 'skipped';
  return { exitCode, signature, digestInput: Buffer.from(output).toString(), messages };
}

function runXmllint(
  args: string[],
  input: Uint8Array,
): Promise<{ exitCode: number | null; complaints: string }> {
  const child = spawn('xmllint', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  return new Promise((done, reject) => {
    let complaints = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaints += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (exitCode) => done({ exitCode, complaints }));
    // It may be through before it has read all.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

function utf8(xml: string | Uint8Array): Uint8Array {
  return typeof xml === 'string' ? Buffer.from(xml) : xml;
}
