/** Ordinary requests as commands: group, command, CBOR body, and whether they may be sent twice. */
import { type CborMap, encodeCborMap } from './cbor.ts';
import { GROUP, IMAGE_COMMAND, OS_COMMAND } from './header.ts';
import type { SmpRequest } from './messages.ts';

export interface Command {
  write: boolean;
  group: number;
  command: number;
  body: Uint8Array;
  /** Sending it twice does what sending it once does. */
  repeatable: boolean;
  /** May take as long as a slot takes to erase. */
  erases: boolean;
}

export function commandOf(request: SmpRequest): Command {
  switch (request.kind) {
    case 'echo':
      return command(true, GROUP.os, OS_COMMAND.echo, { d: request.text });
    case 'reset': {
      const body = { force: request.force ? 1 : undefined, boot_mode: request.bootMode };
      // A second reset would end what the first began.
      return { ...command(true, GROUP.os, OS_COMMAND.reset, body), repeatable: false };
    }
    case 'params':
      return command(false, GROUP.os, OS_COMMAND.params, {});
    case 'os-info':
      return command(false, GROUP.os, OS_COMMAND.info, { format: request.format });
    case 'bootloader-info':
      return command(false, GROUP.os, OS_COMMAND.bootloader, { query: request.query });
    case 'image-list':
      return command(false, GROUP.image, IMAGE_COMMAND.state, {});
    case 'image-test':
      return command(true, GROUP.image, IMAGE_COMMAND.state, {
        hash: request.hash,
        confirm: false,
      });
    case 'image-confirm':
      // No hash at all: an empty one is refused.
      return command(true, GROUP.image, IMAGE_COMMAND.state, { hash: request.hash, confirm: true });
    case 'image-erase': {
      const erase = command(true, GROUP.image, IMAGE_COMMAND.erase, { slot: request.slot });
      return { ...erase, repeatable: false, erases: true };
    }
    case 'slot-info':
      return command(false, GROUP.image, IMAGE_COMMAND.slotInfo, {});
    case 'raw': {
      const { write, group, command: number, body } = request;
      const own = new Uint8Array(body);
      return { write, group, command: number, body: own, repeatable: !write, erases: false };
    }
  }
}

function command(write: boolean, group: number, number: number, body: CborMap): Command {
  const bytes = encodeCborMap(body);
  return { write, group, command: number, body: bytes, repeatable: true, erases: false };
}
