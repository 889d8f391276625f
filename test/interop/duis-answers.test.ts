/**
 * Whatever is refused, and whatever becomes of a device: what a Service User is then told is of the
 * schema, by the DCC's test tool and by libxml2.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { acknowledge, answerDated, answerVersion, refuse } from '../../src/duis/answers.ts';
import { DeviceTable } from '../../src/duis/device-table.ts';
import { requestIdText } from '../../src/duis/identifiers.ts';
import { type DeviceStory, progressOf, upgradeRequested } from '../../src/duis/progress.ts';
import {
  ADMISSION_REFUSALS,
  CONTROL_REFUSALS,
  type Refusal,
  SERVICE_REFUSALS,
} from '../../src/duis/refusals.ts';
import type { AcceptedRequest } from '../../src/duis/request-book.ts';
import { responseText } from '../../src/duis/response.ts';
import { UPGRADE_STATES } from '../../src/jobs/states.ts';
import { DEVICE_KINDS } from '../../src/products/combinations.ts';
import { FAILURES } from '../../src/upgrade/states.ts';
import {
  ACTIVATION_ID,
  ANSWERED_MS,
  HASH,
  HUB_1,
  PPMID,
  RAISED_MS,
  SUPPLIER,
  UPDATE_ID,
} from '../duis/response-samples.ts';
import type { DuisTool } from '../support/duis-tool/duis-tool.ts';
import { duisToolTests } from '../support/duis-tool/duis-tool-tests.ts';
import { signAs, xmlSigner } from '../support/duis-tool/keystore.ts';

const test = suite('interop DUIS answers');
const withTool = duisToolTests(test);

/** Of the tool's schema. */
const SCHEMA_VERSION = '5.1';
const REFERENCES = ['11.1', '11.2', '11.3', '11.4'];

const sign = (document: string) => signAs(xmlSigner('dcc'), document);

function asked(serviceReference: string) {
  return {
    schemaVersion: SCHEMA_VERSION,
    header: {
      requestId: UPDATE_ID,
      serviceReference,
      serviceReferenceVariant: serviceReference,
    },
  };
}

/** Of documents that differ in no more than a signature, one. */
class Documents {
  readonly byContent = new Map<string, { name: string; text: string }>();

  add(name: string, text: string): void {
    const content = text.replaceAll(/<ds:SignatureValue>[^<]*/g, '');
    if (!this.byContent.has(content)) this.byContent.set(content, { name, text });
  }

  async assertValid(tool: DuisTool): Promise<void> {
    for (const { name, text } of this.byContent.values()) {
      assert.ok(await tool.isValid(text), name);
      assert.equal(await tool.schemaErrors(text), [], name);
    }
  }
}

withTool('whatever is refused or acknowledged is answered by the schema', async (tool) => {
  const refusals: Refusal[] = [
    ...Object.keys(ADMISSION_REFUSALS).map((code) => ({ origin: 'admission', code }) as Refusal),
    ...Object.keys(SERVICE_REFUSALS).map((code) => ({ origin: 'service', code }) as Refusal),
    ...Object.keys(CONTROL_REFUSALS).map((code) => ({ origin: 'control', code }) as Refusal),
    { origin: 'signature', code: 'digest-differs' },
  ];
  const documents = new Documents();
  for (const reference of REFERENCES) {
    documents.add(reference, responseText(acknowledge(asked(reference), ANSWERED_MS)));
    for (const refusal of refusals) {
      const answer = refuse(asked(reference), ANSWERED_MS, refusal);
      documents.add(`${refusal.origin} ${refusal.code} of ${reference}`, responseText(answer));
    }
  }
  assert.ok(documents.byContent.size >= 12, `${documents.byContent.size} that differ`);
  await documents.assertValid(tool);
});

withTool('what a device says to 11.2 and 11.3 at once is answered by the schema', async (tool) => {
  const error = { error: { responseCode: 1, text: 'a < b' } };
  const answers = {
    version: answerVersion(asked('11.2'), ANSWERED_MS, { firmwareVersion: '00010203' }),
    error: answerVersion(asked('11.2'), ANSWERED_MS, error),
    dated: answerDated(asked('11.3'), ANSWERED_MS),
  };
  const documents = new Documents();
  for (const [name, answer] of Object.entries(answers)) {
    documents.add(name, responseText(answer, sign));
  }
  await documents.assertValid(tool);
});

withTool('whatever a device comes to is told by the schema', async (tool) => {
  const documents = new Documents();
  for (const story of stories()) {
    const { request, kind, state, code = '' } = story;
    for (const { response } of progressOf(story).notices) {
      const name = `${request.serviceReference} ${kind} ${state} ${code}`;
      documents.add(name, responseText(response, sign));
    }
  }
  const subject = { user: SUPPLIER, kind: 'ppmid', deviceIds: [PPMID] } as const;
  const requested = upgradeRequested(requestOf('11.4'), subject, RAISED_MS);
  documents.add('the other supplier', responseText(requested.response, sign));
  assert.ok(documents.byContent.size > 20, `${documents.byContent.size} that differ`);
  await documents.assertValid(tool);
});

function requestOf(serviceReference: string): AcceptedRequest {
  return {
    id: requestIdText(serviceReference === '11.3' ? ACTIVATION_ID : UPDATE_ID),
    originator: SUPPLIER,
    atMs: 0,
    duisVersion: SCHEMA_VERSION,
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

/** Every kind of device in every state, failed in every way. */
function* stories(): IterableIterator<DeviceStory> {
  for (const serviceReference of ['11.1', '11.3', '11.4']) {
    const executions = serviceReference === '11.3' ? [undefined, RAISED_MS] : [undefined];
    for (const kind of DEVICE_KINDS) {
      for (const state of UPGRADE_STATES) {
        const codes = state === 'failed' ? Object.keys(FAILURES) : [undefined];
        for (const code of codes) {
          for (const executionMs of executions) {
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

test.run();
