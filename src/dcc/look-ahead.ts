/**
 * What a gateway would answer to a Service Request, found out beside it: from its configuration, and from its
 * journal, which says what it took before, which lists are in force and which jobs are open. Nothing is done,
 * no port is opened and nothing is written, whether the gateway runs or not.
 */
import { join } from 'node:path';
import type { Decision } from '../admission/decide.ts';
import type { AdmissionFacts } from '../admission/facts.ts';
import type { DuisUser } from '../config/duis.ts';
import type { GatewayConfig } from '../config/gateway.ts';
import { acknowledge, answerUpdate, refuse } from '../duis/answers.ts';
import {
  type DeviceDecision,
  decisionOf,
  NOT_KNOWN,
  type RequestSplit,
  splitByAdmission,
} from '../duis/device-split.ts';
import type { Refusal } from '../duis/refusals.ts';
import { RequestBook } from '../duis/request-book.ts';
import type { RequestFinding, RequestSettings } from '../duis/request-check.ts';
import { takeIn } from '../duis/request-intake.ts';
import { isMessageRecord, isRequestRecord } from '../duis/request-records.ts';
import { canonicalVersion } from '../duis/schema-version.ts';
import type { FirmwareUpdate, ServiceRequest } from '../duis/service-request.ts';
import { UpliftError } from '../errors.ts';
import { AdmissionDesk, type DeskSite } from '../gateway/admission-desk.ts';
import type { GatewayRecord } from '../gateway/control.ts';
import { StandingRecords } from '../gateway/standing.ts';
import { StateFolder } from '../gateway/state-folder.ts';
import { JobBook } from '../jobs/book.ts';
import { isJobRecord } from '../jobs/records.ts';
import { JournalReader } from '../store/journal-reader.ts';
import { sha256Hex } from '../trust/digest.ts';
import type { KnownSigners } from '../trust/xml-signature.ts';
import {
  briefsFrom,
  decideFor,
  factsOfRequest,
  idsByEui,
  JOB_OPEN,
  settingsOf,
  trustedBy,
} from './judging.ts';
import { loadSigners } from './service-users.ts';

/** Devices of which the same is said. */
export interface DeviceGroup {
  decision: DeviceDecision;
  /** EUI-64s, in the order of the request, each once. */
  devices: string[];
  /** Of the first of them, where rules of admission said it. */
  example?: { decision: Decision; on: AdmissionFacts };
}

export type Outlook =
  /** Byte for byte what was sent before: it gets the first answer again. */
  | { kind: 'repeated' }
  | {
      kind: 'refused';
      responseCode: string;
      refusal: Refusal;
      /** Of the request by itself, every one. */
      findings: readonly RequestFinding[];
      groups: readonly DeviceGroup[];
    }
  /** `split` and `groups`: of 11.1 and 11.4. */
  | { kind: 'taken'; responseCode: string; split?: RequestSplit; groups: readonly DeviceGroup[] };

export class LookAhead {
  /** Whether there is one yet: a gateway that never ran took nothing before. */
  readonly hasJournal: boolean;
  readonly signersAt: (atMs: number) => KnownSigners;
  private readonly settings: RequestSettings;
  private readonly users: ReadonlyMap<string, DuisUser>;
  private readonly devicesByEui: ReadonlyMap<string, string>;
  private readonly requests = new RequestBook();
  private readonly jobs = new JobBook();
  private readonly images = new Map<string, Uint8Array>();
  private readonly desk: AdmissionDesk;

  /**
   * @param site what the configuration says for every rig
   * @throws UpliftError
   */
  constructor(
    config: GatewayConfig & { duis: NonNullable<GatewayConfig['duis']> },
    site: DeskSite,
  ) {
    const { duis, rigs, stateFolder } = config;
    this.signersAt = loadSigners(duis, trustedBy(config));
    this.settings = settingsOf(duis);
    this.users = new Map(duis.users.map((user) => [user.eui64, user]));
    this.devicesByEui = idsByEui(rigs.flatMap(({ devices }) => devices));
    const standing = new StandingRecords();
    this.hasJournal = this.replay(join(stateFolder, 'journal'), config.journal.headFile, standing);
    this.desk = new AdmissionDesk(
      rigs,
      { ...site, ...standing.site },
      {
        open: (sha256) => ({ ok: true, sha256, bytes: this.images.get(sha256)! }),
        imagePath: () => 'the image of the request',
      },
      (rig) => StateFolder.shared(rig.stateFolder),
    );
  }

  /**
   * Of a request whose signature is good.
   * @param sha256 of its bytes as they came
   * @throws UpliftError
   */
  outlook(request: ServiceRequest, sha256: string, nowMs: number): Outlook {
    const taken = takeIn(request, sha256, this.requests, this.settings, {
      nowMs,
      devices: this.devicesByEui,
    });
    if (taken.kind === 'repeated') return taken;
    if (taken.kind !== 'sound') {
      const { refusal } = taken;
      const findings = taken.kind === 'refused' ? taken.findings : [];
      const { responseCode } = refuse(request, nowMs, refusal);
      return { kind: 'refused', responseCode, refusal, findings, groups: [] };
    }
    const { body } = request;
    if ('image' in body) return this.updateOutlook(request, body, nowMs);
    return { kind: 'taken', responseCode: acknowledge(request, nowMs).responseCode, groups: [] };
  }

  private updateOutlook(request: ServiceRequest, body: FirmwareUpdate, nowMs: number): Outlook {
    const image = sha256Hex(body.image);
    this.images.set(image, body.image);
    const facts = factsOfRequest(request, this.users);
    const world = { briefFor: briefsFrom(this.desk), nowMs };
    const decisions = new Map<string, DeviceDecision>();
    const groups = new Map<string, DeviceGroup>();
    for (const eui of new Set(body.deviceIds)) {
      const id = this.devicesByEui.get(eui);
      const isOpen = id !== undefined && this.jobs.openFor(id).length > 0;
      const example = id === undefined || isOpen ? undefined : decideFor(id, image, facts, world);
      const decision = example ? decisionOf(example.decision) : isOpen ? JOB_OPEN : NOT_KNOWN;
      decisions.set(eui, decision);
      const key = decision === 'admitted' ? decision : `${decision.origin}/${decision.code}`;
      const group = groups.get(key);
      if (group) group.devices.push(eui);
      else groups.set(key, { decision, devices: [eui], ...(example ? { example } : {}) });
    }
    this.images.clear();
    const { serviceReference } = request.header;
    const duisVersion = canonicalVersion(request.schemaVersion)!;
    const { deviceIds } = body;
    const split = splitByAdmission({ deviceIds, serviceReference, duisVersion }, decisions);
    const told = { groups: [...groups.values()] };
    if (split.outcome === 'refused') {
      const { refusal } = split.refusals[0]!;
      const { responseCode } = refuse(request, nowMs, refusal);
      return { kind: 'refused', responseCode, refusal, findings: [], ...told };
    }
    const { responseCode } = answerUpdate(request, nowMs, split);
    return { kind: 'taken', responseCode, split, ...told };
  }

  private replay(folder: string, headPath: string | undefined, standing: StandingRecords): boolean {
    const reader = openedJournal(folder, headPath);
    if (!reader) return false;
    try {
      for (const record of reader.records() as Iterable<GatewayRecord>) {
        standing.keep(record);
        if (isJobRecord(record)) this.jobs.apply(record);
        else if (isRequestRecord(record) || isMessageRecord(record)) this.requests.apply(record);
      }
      return true;
    } finally {
      reader.close();
    }
  }
}

function openedJournal(folder: string, headPath: string | undefined): JournalReader | undefined {
  try {
    return JournalReader.open(folder, headPath);
  } catch (error) {
    if (error instanceof UpliftError && error.code === 'journal-missing') return undefined;
    throw error;
  }
}
