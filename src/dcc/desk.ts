/**
 * Where Service Requests are taken: each is answered once, with what is done about it on record before it
 * is answered, and the same again gets the same answer. What was taken becomes jobs of the gateway, an
 * activation of an image that a device holds, or a reading.
 *
 * Requests are looked at one after another, and a long list of devices in pieces, so that transfers go on
 * meanwhile. Only a request whose signature is good comes here.
 */
import type { RequestFacts } from '../admission/context.ts';
import { acknowledge, answerUpdate, refuse } from '../duis/answers.ts';
import { type DeviceDecision, decisionOf, splitByAdmission } from '../duis/device-split.ts';
import { requestIdText } from '../duis/identifiers.ts';
import type { Refusal } from '../duis/refusals.ts';
import type { RequestBook } from '../duis/request-book.ts';
import { takeIn } from '../duis/request-intake.ts';
import { acceptanceRecords, refusalRecord } from '../duis/request-records.ts';
import { encodeResponse, type ServiceResponse } from '../duis/response.ts';
import { canonicalVersion } from '../duis/schema-version.ts';
import type { FirmwareUpdate, ServiceRequest } from '../duis/service-request.ts';
import { assert } from '../errors.ts';
import { decideFor, factsOfRequest, JOB_OPEN } from './judging.ts';
import type { World } from './world.ts';

/** Devices that are decided on before others have their turn. */
const DEVICES_A_TURN = 200;

export interface TakenRequest {
  request: ServiceRequest;
  /** SHA-256 of its bytes as they came. */
  sha256: string;
}

export interface Answer {
  bytes: Uint8Array;
  responseCode: string;
  /** Given before, to the same bytes. */
  isRepeated: boolean;
}

export class ServiceRequestDesk {
  private readonly world: World;
  private readonly book: RequestBook;
  /** Called when a request was taken, to begin what it asks for. */
  private readonly onTaken: () => void;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(world: World, book: RequestBook, onTaken: () => void) {
    this.world = world;
    this.book = book;
    this.onTaken = onTaken;
  }

  /** Resolves when all of it is on record. @throws UpliftError where nothing is taken now */
  take(taken: TakenRequest): Promise<Answer> {
    const answer = this.queue.then(() => this.answer(taken));
    this.queue = answer.catch(() => {});
    return answer;
  }

  private async answer({ request, sha256 }: TakenRequest): Promise<Answer> {
    const { world, book } = this;
    const { requestId } = request.header;
    const taken = takeIn(request, sha256, book, world.settings, {
      nowMs: world.nowMs,
      devices: world.devicesByEui,
    });
    if (taken.kind === 'repeated') return this.repeated(taken.answer);
    if (taken.kind === 'turned-away')
      return this.built(refuse(request, world.nowMs, taken.refusal));
    world.gateway.assertAccepting();
    if (taken.kind === 'refused') return this.refused(request, sha256, taken.refusal);
    const { body } = request;
    if ('image' in body) return this.takeUpdate(request, body, sha256);
    const hash = body.kind === 'ActivateFirmware' ? body.firmwareHash : undefined;
    return this.accept(request, sha256, {
      devices: [requestId.target],
      hash,
      response: acknowledge(request, world.nowMs),
    });
  }

  // ---- 11.1 and 11.4 ----------------------------------------------------------------------------------

  private async takeUpdate(
    request: ServiceRequest,
    body: FirmwareUpdate,
    sha256: string,
  ): Promise<Answer> {
    const { world } = this;
    const image = world.storeImage(body.image, requestIdText(request.header.requestId));
    if ('refusal' in image) return this.refused(request, sha256, image.refusal);
    const facts = factsOfRequest(request, world.users);
    const decisions = new Map<string, DeviceDecision>();
    for (const [index, deviceId] of body.deviceIds.entries()) {
      if (!decisions.has(deviceId)) {
        const decision = this.decide(deviceId, image.sha256, facts);
        if (decision) decisions.set(deviceId, decision);
      }
      if (index % DEVICES_A_TURN === DEVICES_A_TURN - 1) await world.nextTurn();
    }
    // Others may have asked for one of them meanwhile. From here on there is no pause.
    for (const [deviceId, decision] of decisions) {
      if (decision === 'admitted' && this.isOpen(deviceId)) decisions.set(deviceId, JOB_OPEN);
    }
    world.gateway.assertAccepting();
    const { serviceReference } = request.header;
    const duisVersion = canonicalVersion(request.schemaVersion)!;
    const split = splitByAdmission(
      { deviceIds: body.deviceIds, serviceReference, duisVersion },
      decisions,
    );
    const { outcome, refusals, repeated, admitted } = split;
    if (outcome === 'refused') return this.refused(request, sha256, refusals[0]!.refusal);
    return this.accept(request, sha256, {
      devices: admitted,
      hash: image.sha256,
      response: answerUpdate(request, world.nowMs, split),
      told: { refusals, repeated: repeated.length },
    });
  }

  private decide(deviceId: string, image: string, facts: RequestFacts): DeviceDecision | undefined {
    const { world } = this;
    const id = world.devicesByEui.get(deviceId);
    if (id === undefined) return undefined;
    if (this.isOpen(deviceId)) return JOB_OPEN;
    return decisionOf(decideFor(id, image, facts, world).decision);
  }

  /** Another has it: its job is open, or is to be made. */
  private isOpen(deviceId: string): boolean {
    const { gateway, devicesByEui } = this.world;
    if (this.book.hasUpgradeToCome(deviceId)) return true;
    const id = devicesByEui.get(deviceId);
    return id !== undefined && gateway.book.openFor(id).length > 0;
  }

  // ---- what becomes of it -----------------------------------------------------------------------------

  private accept(
    request: ServiceRequest,
    sha256: string,
    taken: {
      devices: readonly string[];
      hash: string | undefined;
      response: ServiceResponse;
      told?: Record<string, unknown>;
    },
  ): Answer {
    const { world } = this;
    const { devices, hash, response, told } = taken;
    const built = this.built(response);
    const records = acceptanceRecords(
      {
        request,
        sha256,
        duisVersion: canonicalVersion(request.schemaVersion)!,
        devices,
        answer: world.messages.put(built.bytes),
        hash,
      },
      world.nowMs,
    );
    const [first, ...rest] = records;
    const facts = 'image' in request.body ? { facts: factsOfRequest(request, world.users) } : {};
    world.write({ ...first!, ...facts, ...told }, ...rest);
    this.onTaken();
    return built;
  }

  private refused(request: ServiceRequest, sha256: string, refusal: Refusal): Answer {
    const { world } = this;
    const built = this.built(refuse(request, world.nowMs, refusal));
    const answer = world.messages.put(built.bytes);
    world.write(refusalRecord(request, { sha256, refusal, answer }));
    return built;
  }

  private built(response: ServiceResponse): Answer {
    const text = new TextDecoder().decode(encodeResponse(response, this.world.signInner));
    const bytes = this.world.sign(text);
    return { bytes, responseCode: response.responseCode, isRepeated: false };
  }

  private repeated(answer: string): Answer {
    const bytes = this.world.messages.get(answer);
    assert(bytes !== undefined, `the answer ${answer} is in the store`);
    const [, responseCode = ''] =
      /ResponseCode>([A-Z0-9]+)</.exec(new TextDecoder().decode(bytes)) ?? [];
    return { bytes, responseCode, isRepeated: true };
  }
}
