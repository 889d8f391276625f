/** A test file that runs against the DCC's test tool, where all is here that this needs. */
import { existsSync } from 'node:fs';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasTool, testWhere } from '../../interop/tools.ts';
import { DuisTool, TOOL_EXIT, type ToolVerdict } from './duis-tool.ts';
import { KEYSTORE, TOOL_JAR } from './places.ts';

type Register = (name: string, body: (tool: DuisTool) => void | Promise<void>) => void;

/** One tool for all tests of a file, each registered to run, to be skipped, or to fail in CI. */
export function duisToolTests(test: Test<object>): Register {
  const missing = missingForDuisTool();
  const tool = missing.length === 0 ? new DuisTool() : undefined;
  test.after(() => tool?.close());
  return (name, body) => testWhere(test, missing, name, () => body(tool!));
}

/** That it checked the signature, and found it good. */
export function expectPassed(verdict: ToolVerdict, about = ''): void {
  assert.is(verdict.signature, 'passed', `${about} ${verdict.messages}`);
  assert.is(verdict.exitCode, TOOL_EXIT.good, about);
}

export function expectExit(run: { exitCode: number; messages: string }, exitCode: number): void {
  assert.is(run.exitCode, exitCode, run.messages);
}

function missingForDuisTool(): string[] {
  const programs = ['java', 'xmllint'].filter((name) => !hasTool(name));
  const packages = {
    '@smartdcc/duis-sign-wrap': TOOL_JAR,
    '@smartdcc/dccboxed-keystore': KEYSTORE,
  };
  const absent = Object.entries(packages).filter(([, path]) => !existsSync(path));
  return [...programs, ...absent.map(([name]) => name)];
}
