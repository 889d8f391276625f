/** The DCC User Interface of a gateway, put together from what its configuration names. */
import { join } from 'node:path';
import type { GatewayConfig } from '../config/gateway.ts';
import { DELIVERY } from '../duis/delivery-rules.ts';
import type { AdmissionDesk } from '../gateway/admission-desk.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { Log, Timers } from '../ports.ts';
import type { ImageStore } from '../store/images.ts';
import type { Journal } from '../store/journal.ts';
import { MessageStore } from '../store/messages.ts';
import { sha256Hex } from '../trust/digest.ts';
import { DuisDoor } from './door.ts';
import { briefsFrom, settingsOf, trustedBy } from './judging.ts';
import { postTo } from './post.ts';
import { DccService } from './service.ts';
import { loadServiceUsers } from './service-users.ts';
import type { World } from './world.ts';

export interface DccParts {
  config: GatewayConfig & { duis: NonNullable<GatewayConfig['duis']> };
  gateway: Gateway;
  desk: AdmissionDesk;
  images: ImageStore;
  journal: Journal;
  timers: Timers;
  log: Log;
}

export interface Dcc {
  service: DccService;
  /** @throws UpliftError */
  openDoor(): Promise<DuisDoor>;
}

const DAY_MS = 24 * 3_600_000;
const NAME_CHARACTERS_MAX = 128;

/** @throws UpliftError where a certificate, key or anchor is not what it is to be */
export function startDcc(parts: DccParts): Dcc {
  const { config, gateway, desk, journal, timers, log } = parts;
  const { duis, stateFolder } = config;
  const users = loadServiceUsers(duis, trustedBy(config));
  const world: World = {
    get nowMs() {
      return timers.nowMs();
    },
    timers,
    gateway,
    messages: new MessageStore(join(stateFolder, 'duis')),
    settings: settingsOf(duis),
    users: users.users,
    devicesByEui: gateway.idsByEui,
    activation: duis.activation,
    deadlineMs: duis.deadlineDays * DAY_MS,
    briefFor: briefsFrom(desk),
    hubOf: (device) => desk.hubOf(device),
    suppliersOf: (device) => desk.suppliersOf(device),
    storeImage: (image, name) => storeImage(parts, image, name),
    sign: (document) => users.sign(document),
    signInner: (document) => new TextDecoder().decode(users.sign(document)),
    write: (...records) => gateway.record(...(records as Parameters<Gateway['record']>)),
    nextTurn: () => new Promise((done) => timers.after(0, done)),
  };
  const endpoints = duis.users.flatMap(({ eui64, endpoint }) =>
    endpoint === undefined ? [] : [[eui64, endpoint] as const],
  );
  const service = new DccService({
    world,
    records: (from, limit) => journal.records(from, limit),
    random: { next: Math.random },
    post: postTo(new Map(endpoints), config.id, DELIVERY.answerMs),
    log,
  });
  return {
    service,
    openDoor: () =>
      DuisDoor.open({
        config: duis,
        users: users.users,
        signersAt: (atMs) => users.signersAt(atMs),
        take: (taken) => service.take(taken),
        nowMs: () => timers.nowMs(),
        log,
      }),
  };
}

/** Among the others, by the name of the request that it came with. */
export function storeImage(
  { images, gateway, timers }: Pick<DccParts, 'images' | 'gateway' | 'timers'>,
  image: Uint8Array,
  name: string,
): ReturnType<World['storeImage']> {
  const sha256 = sha256Hex(image);
  const upload = { bytes: image.length, sha256, name: name.slice(0, NAME_CHARACTERS_MAX) };
  const begun = images.begin(upload, timers.nowMs());
  if (!begun.ok) return { refusal: { origin: 'control', code: begun.code } };
  if (begun.kind === 'present') return { sha256 };
  const { uploadId } = begun;
  const appended = images.append(uploadId, 0, image, timers.nowMs());
  const finished = appended.ok ? images.finish(uploadId) : appended;
  if (!finished.ok) return { refusal: { origin: 'control', code: finished.code } };
  gateway.record({ kind: 'image-stored', sha256, bytes: image.length, name, by: 'duis' });
  return { sha256 };
}
