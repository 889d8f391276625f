/**
 * The SMP server of a running application, as Zephyr 4.4 answers: groups os and image. It is handed
 * a packet and gives the answers; line, time and faults are the hub's.
 */
import type { CborMap } from './cbor.ts';
import type { HubFlash } from './hub-flash.ts';
import type { Mcuboot } from './mcuboot.ts';
import { INFO_LETTERS, type InfoLetter, type SmpOptions } from './options.ts';
import { ImageGroup } from './smp-image-group.ts';
import {
  answer,
  answerPacket,
  RC,
  readFields,
  refuse,
  type SmpRequest,
  type SmpResult,
} from './smp-message.ts';

const GROUP = { os: 0, image: 1 } as const;
const OS = { echo: 0, reset: 5, params: 6, info: 7, bootloader: 8 } as const;
/** The os group's own code for a wrong format, and for a query nobody can answer. */
const OS_ERROR = { invalidFormat: 2, noAnswer: 3 } as const;
/** What `boot_mode` asks for serial recovery. */
const BOOT_MODE_RECOVERY = 1;
/** MCUboot's number for "swap using offset". */
const MODE_SWAP_USING_OFFSET = 9;

export interface SmpServerHooks {
  /** The reset was answered and is to happen. */
  reset(intoRecovery: boolean): void;
}

export class SmpServer {
  readonly images: ImageGroup;
  private readonly options: SmpOptions;
  private readonly hooks: SmpServerHooks;

  constructor(options: SmpOptions, flash: HubFlash, bootloader: Mcuboot, hooks: SmpServerHooks) {
    this.options = options;
    this.hooks = hooks;
    this.images = new ImageGroup(options, flash, bootloader);
  }

  /** Answers to every request in the packet, in order. */
  handlePacket(packet: Uint8Array): Uint8Array[] {
    return answerPacket(packet, this.options.indefiniteMaps, (request) => this.handle(request));
  }

  private handle(request: SmpRequest): SmpResult {
    if (request.group === GROUP.image) return this.images.handle(request);
    if (request.group !== GROUP.os) return refuse(RC.notSupported);
    const { command, write, body } = request;
    if (command === OS.echo) return this.echo(body);
    if (command === OS.reset && write) return this.reset(body);
    if (command === OS.params && !write) {
      return answer({ buf_size: this.options.bufBytes, buf_count: this.options.bufCount });
    }
    if (command === OS.info && !write) return this.info(body);
    if (command === OS.bootloader && !write && this.options.bootloaderInfo) {
      return this.bootloaderInfo(body);
    }
    return refuse(RC.notSupported);
  }

  private echo(body: CborMap): SmpResult {
    const fields = readFields(body, { d: 'text' });
    return fields === undefined ? refuse(RC.invalid) : answer({ r: fields.d ?? '' });
  }

  private reset(body: CborMap): SmpResult {
    const fields = readFields(body, { force: 'u32', boot_mode: 'u32' });
    const { force = 0, boot_mode = 0 } = fields ?? {};
    if (this.options.resetWantsForce && force === 0) return refuse(RC.busy);
    this.hooks.reset(boot_mode === BOOT_MODE_RECOVERY && this.options.recovery);
    return answer({});
  }

  /** Letters in any order; the parts come in theirs. No format is the kernel's name. */
  private info(body: CborMap): SmpResult {
    const fields = readFields(body, { format: 'text' });
    if (fields === undefined) return refuse(RC.invalid);
    const format = fields.format || 's';
    const isLetter = (letter: string) => INFO_LETTERS.includes(letter as InfoLetter);
    if ([...format].some((letter) => letter !== 'a' && !isLetter(letter))) {
      return { kind: 'group-error', code: OS_ERROR.invalidFormat, v1: RC.invalid };
    }
    const letters = INFO_LETTERS.filter(
      (letter) => format.includes('a') || format.includes(letter),
    );
    return answer({ output: letters.map((letter) => this.options.info[letter]).join(' ') });
  }

  private bootloaderInfo(body: CborMap): SmpResult {
    const fields = readFields(body, { query: 'text' });
    if (fields === undefined) return refuse(RC.invalid);
    if (fields.query === undefined) return answer({ bootloader: 'MCUboot' });
    if (fields.query !== 'mode') {
      // What version 1 shows of this code was not observed.
      return { kind: 'group-error', code: OS_ERROR.noAnswer, v1: RC.notSupported };
    }
    const noDowngrade = this.options.preventsDowngrade ? true : undefined;
    return answer({ mode: MODE_SWAP_USING_OFFSET, 'no-downgrade': noDowngrade });
  }
}
