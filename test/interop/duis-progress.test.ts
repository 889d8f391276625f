/**
 * Whatever a device comes to, told by the schema: every kind of device in every state, failed in every way,
 * after each request. What is the same but for its signature is looked at once.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DeviceTable } from '../../src/duis/device-table.ts';
import { requestIdText } from '../../src/duis/identifiers.ts';
import { type DeviceStory, progressOf, upgradeRequested } from '../../src/duis/progress.ts';
import type { AcceptedRequest } from '../../src/duis/request-book.ts';
import { responseText } from '../../src/duis/response.ts';
import { UPGRADE_STATES } from '../../src/jobs/states.ts';
import { DEVICE_KINDS } from '../../src/products/combinations.ts';
import { FAILURES } from '../../src/upgrade/states.ts';
import {
  ACTIVATION_ID,
  HASH,
  HUB_1,
  PPMID,
  RAISED_MS,
  SUPPLIER,
  signInForm,
  UPDATE_ID,
} from '../duis/response-samples.ts';
import { duisToolTests } from '../support/duis-tool/duis-tool-tests.ts';

const test = suite('interop DUIS progress');
const withTool = duisToolTests(test);

/** Of the schema. */
const DUIS_VERSION = '5.1';

function requestOf(serviceReference: string): AcceptedRequest {
  return {
    id: requestIdText(serviceReference === '11.3' ? ACTIVATION_ID : UPDATE_ID),
    originator: SUPPLIER,
    atMs: 0,
    duisVersion: DUIS_VERSION,
    serviceReference,
    body: 'UpdateFirmware',
    firmwareVersion: '00010203',
    devices: new DeviceTable([PPMID]),
    hash: undefined,
    execution: undefined,
    deviceCount: 1,
    isExecuted: false,
    sequence: 1,
    jobs: ['j1'],
  };
}

function* stories(): IterableIterator<DeviceStory> {
  for (const serviceReference of ['11.1', '11.3', '11.4']) {
    const times = serviceReference === '11.3' ? [undefined, RAISED_MS] : [undefined];
    for (const kind of DEVICE_KINDS) {
      for (const state of UPGRADE_STATES) {
        for (const code of state === 'failed' ? Object.keys(FAILURES) : [undefined]) {
          for (const executionMs of times) {
            yield {
              request: requestOf(serviceReference),
              deviceId: PPMID,
              kind,
              hubId: HUB_1,
              state,
              code,
              atMs: RAISED_MS,
              firmwareVersion: '00010203',
              imageHash: HASH,
              alertCounter: 77n,
              versions: { inventory: '00010202', device: '00010203' },
              ...(executionMs === undefined ? {} : { executionMs }),
            };
          }
        }
      }
    }
  }
}

withTool('whatever a device comes to is told by the schema', async (tool) => {
  /** By their text, what told it first. */
  const told = new Map<string, string>();
  for (const story of stories()) {
    for (const { response } of progressOf(story).notices) {
      const { request, kind, state, code = '' } = story;
      const text = responseText(response, signInForm);
      if (!told.has(text)) told.set(text, `${request.serviceReference} ${kind} ${state} ${code}`);
    }
  }
  const { response } = upgradeRequested(
    requestOf('11.4'),
    { user: SUPPLIER, kind: 'ppmid', deviceIds: [PPMID] },
    RAISED_MS,
  );
  told.set(responseText(response), 'the other supplier');
  assert.ok(told.size > 20, `${told.size} documents that differ`);
  for (const [text, name] of told) assert.equal(await tool.schemaErrors(text), [], name);
});

test.run();
