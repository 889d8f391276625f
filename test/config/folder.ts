/** A temporary folder with a rig, a model and a firmware file that load, to be made wrong by a test. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { ConfigError, type Problem } from '../../src/config/codes.ts';

export const MODEL = `model: m
kind: ppmid
description: d
source: s
deviceModel:
  manufacturer: "121D"
  model: "0084"
  hardwareVersion: "01"
  hardwareRevision: "00"
imageProfile: gb-ppmid
zigbee:
  manufacturerCode: 0x121D
  imageType: "0x0084"
  hardwareVersion: 256
  manufacturerName: Uplift
  modelIdentifier: V
flash:
  slotBytes: 524288
  eraseBlockBytes: 4096
  programPageBytes: 256
  eraseBlockMs: 45
  programPageMs: 0.7
otaClient:
  maximumDataBytes: 64
  rebootMs: 9
`;

export const RIG = `rig: r
description: d
state: state
coordinators:
  - id: zigbee-1
    adapter: zstack
    port: tcp://127.0.0.1:17000
    network:
      panId: 0x1A62
      extendedPanId: "00124b0000017000"
      channel: 15
      networkKey: generated
    virtual: {}
devices:
  - id: ppmid
    model: model.yaml
    coordinator: zigbee-1
    eui64: "00:0d:6f:00:00:00:00:01"
    virtual:
      firmware: old.zigbee
`;

export const HUB_MODEL = `model: h
kind: communications-hub
description: d
source: s
deviceModel:
  manufacturer: "121D"
  model: "0090"
  hardwareVersion: "01"
  hardwareRevision: "00"
imageProfile: mcuboot
serial:
  protocol: smp
  baudRate: 57600
  enterBootloader:
    - {rts: true, dtr: false, waitMs: 50}
    - {breakMs: 250}
    - {send: "\\x03\\n"}
    - {waitMs: 7}
smp: {recovery: line-steps}
flash:
  slotBytes: 524288
  eraseBlockBytes: 4096
  programPageBytes: 256
  eraseBlockMs: 45
  programPageMs: 0.7
`;

export const HUB_RIG = `rig: r
description: d
state: state
devices:
  - id: hub
    model: hub.yaml
    port: ports/hub
    virtual:
      firmware: old.zigbee
`;

const folders: string[] = [];

export function newFolder(files: Record<string, string | Uint8Array> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-config-'));
  folders.push(folder);
  const all = {
    'rig.yaml': RIG,
    'model.yaml': MODEL,
    'hub.yaml': HUB_MODEL,
    'old.zigbee': 'x',
    ...files,
  };
  for (const [name, content] of Object.entries(all)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** `text` with the one occurrence of `from` replaced. */
export function edited(text: string, from: string, to: string): string {
  assert.is(text.split(from).length, 2, `${JSON.stringify(from)} stands once`);
  return text.replace(from, () => to);
}

export function problemsOf(load: () => unknown): readonly Problem[] {
  try {
    load();
  } catch (error) {
    assert.instance(error, ConfigError);
    const { code, exit, problems, message } = error as ConfigError;
    assert.is(exit, 2);
    assert.is(code, problems[0]!.code);
    assert.is(message.split('\n').length, Math.min(problems.length, 101), 'one line a problem');
    return problems;
  }
  throw new Error('the file was loaded');
}
