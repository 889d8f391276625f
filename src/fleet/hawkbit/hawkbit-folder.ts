/** What is kept of a hawkBit server on disk: `actions.json`, and the signed campaign that it names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBounded } from '../../gateway/bounded-file.ts';
import { writeDurably } from '../../gateway/durable-file.ts';
import { sha256Hex } from '../../trust/digest.ts';
import { WIRE_LIMITS } from '../wire.ts';
import { type HawkbitState, hawkbitState, NO_ACTIONS } from './action-state.ts';

export interface KeptActions {
  state: HawkbitState;
  document?: Uint8Array;
}

export interface HawkbitStore {
  load(): KeptActions;
  /** On disk when it returns. */
  keep(kept: KeptActions): void;
}

export class HawkbitFolder implements HawkbitStore {
  private readonly folder: string;
  /** SHA-256 of the document that is on disk. */
  private written: string | undefined;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** What cannot be read is none: the server offers its action again. */
  load(): KeptActions {
    const state = this.readState();
    if (!state?.action) return { state: state ?? NO_ACTIONS };
    try {
      const most = WIRE_LIMITS.campaignBytesMax;
      const document = readBounded(this.documentPath, most, 'a signed campaign');
      this.written = sha256Hex(document);
      return { state, document };
    } catch {
      return { state };
    }
  }

  /** The document first: a state never names one that is not there. */
  keep({ state, document }: KeptActions): void {
    const digest = state.action?.document;
    if (document && digest !== undefined && digest !== this.written) {
      writeDurably(this.documentPath, document, 0o600);
      this.written = digest;
    }
    writeDurably(join(this.folder, 'actions.json'), JSON.stringify(state), 0o600);
  }

  private readState(): HawkbitState | undefined {
    try {
      const parsed = hawkbitState.safeParse(
        JSON.parse(readFileSync(join(this.folder, 'actions.json'), 'utf8')),
      );
      return parsed.success ? parsed.data : undefined;
    } catch {
      return undefined;
    }
  }

  private get documentPath(): string {
    return join(this.folder, 'action.campaign');
  }
}
