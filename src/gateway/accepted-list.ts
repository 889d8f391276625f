/** Which products list counts as the newest: the one on whose word a device was last sent something. */
import type { CentralProductsList } from '../products/central-products-list.ts';
import { editionOf, isOlder } from '../products/list-edition.ts';
import type { StateFolder } from './state-folder.ts';

/** From now on no older one counts. @throws UpliftError where that cannot be kept */
export function acceptList(
  list: CentralProductsList | undefined,
  state: Pick<StateFolder, 'acceptedList' | 'rememberList'>,
  nowMs: number,
): void {
  if (!list) return;
  const known = state.acceptedList()?.edition;
  // A policy let an older one pass, or a clock was set back: what was accepted stays the newest.
  if (known && (isOlder(list, known) || nowMs < known.asOfMs)) return;
  state.rememberList(editionOf(list, nowMs));
}
