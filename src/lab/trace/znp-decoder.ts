/** The wire of a coordinator: commands by name, and what application frames of the OTA cluster carry. */
import { encodeHex } from '../../bytes/hex.ts';
import { OTA_CLUSTER } from '../../protocol/zcl-ota/codec.ts';
import type { Direction } from '../recording/format.ts';
import { afMessageOf, ZNP_SUBSYSTEM, ZNP_TYPE, type ZnpFrame, ZnpSplitter } from '../znp/frames.ts';
import type { FrameDecoder, TracedFrame } from './frame.ts';
import { otaText } from './ota-text.ts';

const TYPES: Readonly<Record<number, string>> = {
  [ZNP_TYPE.request]: 'SREQ',
  [ZNP_TYPE.indication]: 'AREQ',
  [ZNP_TYPE.response]: 'SRSP',
};

/** Command names by subsystem (Z-Stack Monitor and Test API). */
const COMMANDS: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  [ZNP_SUBSYSTEM.system]: {
    0: 'resetReq',
    1: 'ping',
    2: 'version',
    4: 'getExtAddr',
    7: 'osalNvItemInit',
    8: 'osalNvRead',
    9: 'osalNvWrite',
    15: 'stackTune',
    18: 'osalNvDelete',
    19: 'osalNvLength',
    20: 'setTxPower',
    28: 'osalNvReadExt',
    29: 'osalNvWriteExt',
    48: 'nvCreate',
    49: 'nvDelete',
    50: 'nvLength',
    51: 'nvRead',
    52: 'nvWrite',
    128: 'resetInd',
  },
  [ZNP_SUBSYSTEM.af]: {
    0: 'register',
    1: 'dataRequest',
    2: 'dataRequestExt',
    16: 'interPanCtl',
    18: 'dataRetrieve',
    128: 'dataConfirm',
    129: 'incomingMsg',
    130: 'incomingMsgExt',
  },
  [ZNP_SUBSYSTEM.zdo]: {
    0: 'nwkAddrReq',
    1: 'ieeeAddrReq',
    2: 'nodeDescReq',
    4: 'simpleDescReq',
    5: 'activeEpReq',
    33: 'bindReq',
    34: 'unbindReq',
    49: 'mgmtLqiReq',
    50: 'mgmtRtgReq',
    52: 'mgmtLeaveReq',
    54: 'mgmtPermitJoinReq',
    55: 'mgmtNwkUpdateReq',
    64: 'startupFromApp',
    69: 'extRouteDisc',
    74: 'extFindGroup',
    75: 'extAddGroup',
    80: 'extNwkInfo',
    192: 'stateChangeInd',
    193: 'endDeviceAnnceInd',
    200: 'concentratorInd',
    201: 'leaveInd',
    202: 'tcDeviceInd',
    203: 'permitJoinInd',
  },
  [ZNP_SUBSYSTEM.utility]: {
    0: 'getDeviceInfo',
    10: 'ledControl',
    74: 'assocGetWithAddress',
    99: 'assocRemove',
    100: 'assocAdd',
  },
  [ZNP_SUBSYSTEM.configuration]: {
    4: 'bdbAddInstallCode',
    5: 'bdbStartCommissioning',
    8: 'bdbSetChannel',
    128: 'bdbCommissioningNotification',
  },
};
const SUBSYSTEMS: Readonly<Record<number, string>> = {
  [ZNP_SUBSYSTEM.system]: 'SYS',
  [ZNP_SUBSYSTEM.af]: 'AF',
  [ZNP_SUBSYSTEM.zdo]: 'ZDO',
  [ZNP_SUBSYSTEM.utility]: 'UTIL',
  [ZNP_SUBSYSTEM.configuration]: 'APP_CNF',
};
const SHOWN_BYTES_MAX = 24;

export class ZnpFrameDecoder implements FrameDecoder {
  private found: TracedFrame[] = [];
  private direction: Direction = 'up';
  private atUs = 0;
  private readonly pieces = {
    frame: (frame: ZnpFrame) => this.say(znpText(frame), frame.bytes),
    other: (bytes: Uint8Array) => this.say(`${bytes.length} bytes that are no frame`, bytes),
  };
  private readonly ends = { up: new ZnpSplitter(this.pieces), down: new ZnpSplitter(this.pieces) };

  take(direction: Direction, bytes: Uint8Array, atUs: number): TracedFrame[] {
    this.found = [];
    this.direction = direction;
    this.atUs = atUs;
    this.ends[direction].push(bytes);
    return this.found;
  }

  rest(atUs: number): TracedFrame[] {
    this.found = [];
    this.atUs = atUs;
    for (const direction of ['up', 'down'] as const) {
      this.direction = direction;
      const bytes = this.ends[direction].takeRest();
      if (bytes.length > 0) this.say(`${bytes.length} bytes of a frame that never ended`, bytes);
    }
    return this.found;
  }

  private say(text: string, bytes: Uint8Array): void {
    const { direction, atUs } = this;
    this.found.push({ direction, atUs, protocol: 'ZNP', text, bytes: bytes.slice() });
  }
}

export function znpText(frame: ZnpFrame): string {
  const { type, subsystem, command, data } = frame;
  const name = COMMANDS[subsystem]?.[command] ?? `command 0x${command.toString(16)}`;
  const what = `${TYPES[type] ?? `type ${type}`} ${SUBSYSTEMS[subsystem] ?? subsystem} ${name}`;
  const message = afMessageOf(frame);
  if (message === undefined) {
    const shown = encodeHex(data.subarray(0, SHOWN_BYTES_MAX));
    return data.length === 0
      ? what
      : `${what} ${shown}${data.length > SHOWN_BYTES_MAX ? '...' : ''}`;
  }
  const { direction, cluster, peer, payload } = message;
  const way = `${direction === 'down' ? 'to' : 'from'} ${peer}`;
  const content =
    cluster === OTA_CLUSTER
      ? `OTA ${otaText(payload)}`
      : `cluster 0x${cluster.toString(16).padStart(4, '0')}, ${payload.length} bytes`;
  return `${what} ${way}: ${content}`;
}
