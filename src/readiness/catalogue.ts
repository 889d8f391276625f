/**
 * The lists at one moment, with every Device Model as a small number: what a search asks thousands of
 * times is an array or a map lookup. Nothing is decided here about an installation.
 */
import {
  type CentralProductsList,
  isCurrent,
  type ListEntry,
  loadedByDcc,
  mayPrecede,
} from '../products/central-products-list.ts';
import type { Combination } from '../products/combinations.ts';
import {
  compareVersions,
  type DeviceModel,
  deviceModelKey,
  foldText,
  hardwareKey,
} from '../products/device-model.ts';
import {
  type EligibleCombination,
  type EligibleCombinations,
  isEligible,
} from '../products/eligible-combinations.ts';
import { openTestOf } from '../products/expedited.ts';
import type { PendingCombination, PendingCombinations } from '../products/pending-combinations.ts';
import type { CauseCode } from './codes.ts';
import type { ReadinessPolicy } from './policy.ts';

export interface ReadinessLists {
  products: CentralProductsList;
  eligible: EligibleCombinations;
  pending?: PendingCombinations | undefined;
}

export type Pathway = 'listed' | 'unknown' | 'none';

/** One upgrade of one device: lawful by itself, or the reason why not. */
export interface Move {
  to: number;
  entry: ListEntry;
  pathway: Pathway;
  refusal?: CauseCode;
}

/** An expedited entry and its open test, which cover a combination together. */
export interface Cover {
  entry: ListEntry;
  pending: PendingCombination;
}

export class Catalogue {
  readonly nowMs: number;
  readonly policy: ReadinessPolicy;
  readonly lists: ReadinessLists;
  readonly deviceModels: DeviceModel[] = [];
  readonly hardwareOf: number[] = [];
  private readonly ids = new Map<string, number>();
  private readonly idOfObject = new WeakMap<DeviceModel, number>();
  private readonly statesOf = new WeakMap<Combination, readonly number[]>();
  private readonly hardwareIds = new Map<string, number>();
  private readonly providerIds = new Map<string, number>();
  private readonly entriesOfHardware: ListEntry[][] = [];
  private readonly entryOf = new Map<number, ListEntry>();
  private readonly movesOf: (Move[] | undefined)[] = [];
  private readonly inForce = new Map<string, EligibleCombination>();
  private readonly ofHardware = new Map<string, EligibleCombination[]>();
  private readonly anyProvider = new Map<string, Set<string>>();
  private readonly coverOfSet = new Map<string, Cover>();
  private readonly coverOfModel = new Map<number, Cover>();

  constructor(lists: ReadinessLists, policy: ReadinessPolicy, nowMs: number) {
    this.lists = lists;
    this.policy = policy;
    this.nowMs = nowMs;
    for (const entry of lists.products.entries) {
      const id = this.idOf(entry);
      this.entriesOfHardware[this.hardwareOf[id]!]!.push(entry);
      if (!this.entryOf.has(id) || isCurrent(entry, nowMs)) this.entryOf.set(id, entry);
    }
    for (const combination of lists.eligible.entries) this.addEligible(combination);
    for (const entry of lists.products.entries) this.addExpedited(entry);
  }

  /** By the object first: rows of one list share theirs. */
  idOf(deviceModel: DeviceModel): number {
    const seen = this.idOfObject.get(deviceModel);
    if (seen !== undefined) return seen;
    const id = this.idOfKey(deviceModel);
    this.idOfObject.set(deviceModel, id);
    return id;
  }

  /** `stateOf` of a combination of the list. */
  listedState(combination: EligibleCombination): readonly number[] {
    return this.statesOf.get(combination) ?? this.stateOf(combination);
  }

  providerOf(text: string): number {
    return numberOf(this.providerIds, foldText(text));
  }

  /** Sorted, one for each device: two devices of one model are two. */
  stateOf({ devices }: Combination): number[] {
    return devices.map(({ deviceModel }) => this.idOf(deviceModel)).sort(ascending);
  }

  entryOfModel(id: number): ListEntry | undefined {
    return this.entryOf.get(id);
  }

  eligibleAt(provider: number, state: readonly number[]): EligibleCombination | undefined {
    return this.inForce.get(setKey(provider, state));
  }

  /** The expedited entry that covers a combination in place of its being eligible. */
  coverAt(provider: number, state: readonly number[]): Cover | undefined {
    if (this.policy.expedited.testOf === 'combination') {
      return this.coverOfSet.get(setKey(provider, state));
    }
    for (const id of state) {
      const cover = this.coverOfModel.get(id);
      if (cover) return cover;
    }
    return undefined;
  }

  /** Combinations of the same hardware, in force or not. */
  sameHardware(provider: number, state: readonly number[]): readonly EligibleCombination[] {
    return this.ofHardware.get(setKey(provider, this.hardwareState(state))) ?? [];
  }

  /** With which providers combinations of the same hardware are on the list, as it writes them. */
  providersOfHardware(state: readonly number[]): readonly string[] {
    return [...(this.anyProvider.get(setKey(0, this.hardwareState(state))) ?? [])];
  }

  /** Every other version of the same hardware, what the pathway lists first. */
  moves(from: number): readonly Move[] {
    const known = this.movesOf[from];
    if (known) return known;
    const byTarget = new Map<number, Move>();
    for (const entry of this.entriesOfHardware[this.hardwareOf[from]!]!) {
      const to = this.idOf(entry);
      if (to === from) continue;
      const move = this.judge(from, to, entry);
      const other = byTarget.get(to);
      if (!other || (other.refusal && !move.refusal)) byTarget.set(to, move);
    }
    const rank = ({ pathway }: Move) => (pathway === 'listed' ? 0 : 1);
    const moves = [...byTarget.values()].sort((a, b) => rank(a) - rank(b) || a.to - b.to);
    this.movesOf[from] = moves;
    return moves;
  }

  private idOfKey(deviceModel: DeviceModel): number {
    const key = deviceModelKey(deviceModel);
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.deviceModels.length;
    this.ids.set(key, id);
    this.deviceModels.push(deviceModel);
    this.hardwareOf.push(numberOf(this.hardwareIds, hardwareKey(deviceModel)));
    this.entriesOfHardware[this.hardwareOf[id]!] ??= [];
    return id;
  }

  private judge(from: number, to: number, entry: ListEntry): Move {
    const running = this.deviceModels[from]!;
    const precedence = mayPrecede(this.lists.products, entry, running.firmwareVersion);
    const pathway = precedence === 'not-listed' ? 'listed' : precedence;
    const order = this.orderOf(from, entry);
    const refusal = ((): CauseCode | undefined => {
      if (!isCurrent(entry, this.nowMs)) return 'entry-not-current';
      if (loadedByDcc(entry, this.nowMs) === 'no') return 'entry-not-loaded';
      if (order !== undefined && order > 0) return 'downgrade';
      if (precedence === 'not-listed') return 'pathway-not-listed';
      if (precedence === 'none' && this.policy.noPathway === 'refuse') return 'pathway-none';
      if (precedence === 'unknown' && this.policy.unknownPathway === 'refuse') {
        return 'pathway-unknown';
      }
      return order === undefined && precedence !== 'listed' ? 'order-unknown' : undefined;
    })();
    return { to, entry, pathway, ...(refusal === undefined ? {} : { refusal }) };
  }

  /** Above 0 where the running version is the newer; the numbers of OTA files go before the texts. */
  private orderOf(from: number, entry: ListEntry): number | undefined {
    const running = this.entryOf.get(from)?.otaFileVersion;
    const { otaFileVersion } = entry;
    if (running !== undefined && otaFileVersion !== undefined && running !== otaFileVersion) {
      return running - otaFileVersion;
    }
    return compareVersions(this.deviceModels[from]!.firmwareVersion, entry.firmwareVersion);
  }

  private addEligible(combination: EligibleCombination): void {
    const state = this.stateOf(combination);
    this.statesOf.set(combination, state);
    const provider = this.providerOf(combination.provider);
    if (isEligible(combination, this.nowMs)) {
      const key = setKey(provider, state);
      if (!this.inForce.has(key)) this.inForce.set(key, combination);
    }
    const hardware = this.hardwareState(state);
    pushTo(this.ofHardware, setKey(provider, hardware), combination);
    const anyKey = setKey(0, hardware);
    const names = this.anyProvider.get(anyKey) ?? new Set();
    this.anyProvider.set(anyKey, names.add(combination.provider));
  }

  private addExpedited(entry: ListEntry): void {
    const { policy, nowMs, lists } = this;
    const test = openTestOf(entry, lists.pending, nowMs, policy.expedited);
    if (!test.covered) return;
    const { pending } = test;
    const cover = { entry, pending };
    this.coverOfModel.set(this.idOf(entry), cover);
    this.coverOfSet.set(setKey(this.providerOf(pending.provider), this.stateOf(pending)), cover);
  }

  private hardwareState(state: readonly number[]): number[] {
    return state.map((id) => this.hardwareOf[id]!).sort(ascending);
  }
}

export function ascending(a: number, b: number): number {
  return a - b;
}

/** Of a sorted state: what is in it more than once counts once. */
function setKey(provider: number, state: readonly number[]): string {
  let key = `${provider}`;
  let last = -1;
  for (const id of state) {
    if (id !== last) key += `,${id}`;
    last = id;
  }
  return key;
}

function numberOf(numbers: Map<string, number>, key: string): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbers.set(key, numbers.size);
  return numbers.size - 1;
}

function pushTo<V>(map: Map<string, V[]>, key: string, value: V): void {
  const known = map.get(key);
  if (known) known.push(value);
  else map.set(key, [value]);
}
