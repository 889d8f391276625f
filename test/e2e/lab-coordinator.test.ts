/**
 * An upgrade over ZigBee with the real driver, behind the lab's proxy: the air is bad, the coordinator is
 * reset, its wire is cut, and the device has its image in the end. The recording of it replays to the last
 * byte, and says frame by frame what passed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StateFolder } from '../../src/gateway/state-folder.ts';
import { ZigbeeSite } from '../../src/gateway/zigbee-site.ts';
import { CoordinatorProxy } from '../../src/lab/faults/coordinator-proxy.ts';
import type { LinkFaultSettings } from '../../src/lab/ports.ts';
import { MONOTONIC_CLOCK } from '../../src/lab/recording/clock.ts';
import { contentsBeside } from '../../src/lab/recording/contents.ts';
import { readRecordingFile } from '../../src/lab/recording/reader.ts';
import { recordServer } from '../../src/lab/recording/recorded-machine.ts';
import { replayRecording } from '../../src/lab/recording/replay.ts';
import { openRecorder } from '../../src/lab/recording/writer.ts';
import { traceOf } from '../../src/lab/trace/trace.ts';
import { realFiles } from '../../src/store/files.ts';
import { newLink } from '../../src/transport/serial/link.ts';
import { sealFirmware } from '../../src/virtual/sealed-firmware.ts';
import { counting, naiveImage } from '../image/naive-ota.ts';
import { NEW_VERSION, sha256Of, sleep, TestRig } from '../support/rigs.ts';

const test = suite('lab coordinator');
const SEED = 0x5eed31;
const WIRE = 'zigbee-1';
const SERVER = 'zigbee-1 OTA server';
const KIBIBYTES = 12;

interface Trouble {
  faults: LinkFaultSettings;
  /** When a part of the image is across. */
  halfway?: (proxy: CoordinatorProxy) => Promise<void>;
  counted: string[];
}

const TROUBLES: Record<string, Trouble> = {
  'frames lost, doubled and late, either way': {
    faults: { drop: 0.05, duplicate: 0.05, delayMs: 5 },
    counted: ['dropped', 'duplicated', 'delayed'],
  },
  'the coordinator is reset, and its wire is cut': {
    faults: {},
    halfway: async (proxy) => {
      proxy.resetCoordinator();
      await sleep(200);
      proxy.set({ disconnected: true });
      await proxy.settled();
      await sleep(200);
      proxy.clear();
    },
    counted: ['resets', 'disconnections'],
  },
};

for (const [name, { faults, halfway, counted }] of Object.entries(TROUBLES)) {
  test(name, async () => {
    const rig = await TestRig.make({ otaClient: { answerTimeoutMs: 400, retryPauseMs: 50 } });
    await rig.up();
    const coordinator = rig.rig.coordinators[0]!;
    const { port, baudRate, rtscts } = coordinator;
    const recorder = openRecorder(join(rig.folder, 'run.uplrec'), {
      ...{ version: 'test', rig: 'r', device: rig.rig.devices[0]!.id, seed: SEED },
      startedAtMs: MONOTONIC_CLOCK.nowMs(),
      links: { [WIRE]: 'znp' },
    });
    const proxy = await CoordinatorProxy.start({
      link: newLink({ port, baudRate, rtscts }),
      ...{ port: 'tcp://127.0.0.1:0', seed: SEED, recorder, name: WIRE },
    });
    const state = StateFolder.open(rig.rig.stateFolder);
    const site = new ZigbeeSite(state, () => {}, {
      onServer: (_coordinator, said) => recordServer(said, { recorder, link: SERVER }),
    });
    try {
      const link = await site.open({ ...coordinator, port: proxy.path });
      assert.equal(await site.missing(coordinator, rig.rig.ppmids, true), []);
      const { eui64 } = rig.rig.ppmids[0]!;
      const path = join(rig.folder, 'small.zigbee');
      const body = [...sealFirmware(Uint8Array.from(counting(KIBIBYTES * 1024 + 3, 11)))];
      writeFileSync(
        path,
        naiveImage({ fileVersion: NEW_VERSION, hardware: [0x0100, 0x01ff], body }),
      );
      proxy.set(faults);
      await link.call('assign', {
        ...{ eui64, endpoint: 1, imagePath: path, imageOffset: 0, authorised: true },
        token: { sha256: sha256Of(path), bytes: readFileSync(path).length },
        triple: { manufacturerCode: 0x121d, imageType: 0x0084, fileVersion: NEW_VERSION },
        ...{ resumable: true, activation: { when: 'now' }, stallMs: 20_000 },
      });
      await link.call('notify', { eui64, payloadType: 0 });
      if (halfway) {
        await sleep(400);
        await halfway(proxy);
      }
      const deadlineMs = Date.now() + 60_000;
      while (rig.device().fileVersion !== NEW_VERSION) {
        assert.ok(Date.now() < deadlineMs, `not upgraded; ${JSON.stringify(proxy.counts)}`);
        await sleep(50);
      }
    } finally {
      await site.close();
      state.close();
      await proxy.stop();
      await recorder.close();
    }
    console.log(`  ${name}: seed ${SEED}, ${JSON.stringify(proxy.counts)}`);
    for (const count of counted) assert.ok(proxy.counts[count]! > 0, count);
    const recording = readRecordingFile(recorder.path);
    const contents = contentsBeside(recorder.path, realFiles);
    const outcome = replayRecording(recording, { contents });
    assert.is(outcome.kind, 'same', JSON.stringify(outcome));
    assert.ok(outcome.kind === 'same' && outcome.sentBytes > KIBIBYTES * 1024);
    const said = [...traceOf(recording)].map(({ text }) => text);
    assert.ok(said.some((text) => /incomingMsg from 0x\w+: OTA image-block-request/.test(text)));
    assert.ok(said.some((text) => /dataRequest to 0x\w+: OTA image-block-response/.test(text)));
    assert.ok(said.some((text) => /^device 0: image-block-request #/.test(text)));
    assert.ok(said.some((text) => /^device 0: image-block-response #/.test(text)));
    await rig.remove();
  });
}

test.run();
