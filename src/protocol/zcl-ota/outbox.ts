/** What the OTA server wants sent and has to say, apart from blocks; in the order it came up. */
import { encodeOtaFrame, type ImageTriple, type OtaMessage } from './codec.ts';
import { Fifo } from './fifo.ts';
import type { OtaServerEvent, OtaTransmit } from './session.ts';

export class Outbox {
  private readonly frames = new Fifo<OtaTransmit>();
  private readonly events = new Fifo<OtaServerEvent>();

  event(event: OtaServerEvent): void {
    this.events.push(event);
  }

  /** True, as are the others, so that a check can answer and say so in one line. */
  send(device: number, message: OtaMessage, sequence: number): true {
    this.frames.push({ device, bytes: encodeOtaFrame(message, sequence) });
    return true;
  }

  sendDefault(
    device: number,
    command: number,
    status: number,
    sequence: number,
    manufacturerSpecific?: number,
  ): true {
    const message = { kind: 'default-response', command, status } as const;
    const bytes = encodeOtaFrame(message, sequence, { manufacturerSpecific });
    this.frames.push({ device, bytes });
    return true;
  }

  /** Times in seconds from now; the period in the device's own unit. */
  sendWait(device: number, waitS: number, minimumBlockPeriod: number, sequence: number): true {
    const wait = { currentTime: 0, requestTime: waitS, minimumBlockPeriod };
    return this.send(device, { kind: 'image-block-wait', ...wait }, sequence);
  }

  sendUpgradeEnd(device: number, triple: ImageTriple, waitS: number, sequence: number): true {
    const { manufacturerCode, imageType, fileVersion } = triple;
    const names = { manufacturerCode, imageType, fileVersion };
    const times = { currentTime: 0, upgradeTime: waitS };
    return this.send(device, { kind: 'upgrade-end-response', ...names, ...times }, sequence);
  }

  pollFrame(): OtaTransmit | undefined {
    return this.frames.shift();
  }

  pollEvent(): OtaServerEvent | undefined {
    return this.events.shift();
  }
}
