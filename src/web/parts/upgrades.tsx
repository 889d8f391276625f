/** Upgrades of devices, one a row: those under way, and those of a job. */
import type { ComponentChildren } from 'preact';
import { keyOf, type Upgrade } from '../state.ts';
import { STATE_WORDS } from '../words.ts';
import { StateMark } from './mark.tsx';
import { TransferLine, UpgradeLink } from './transfer.tsx';
import { VirtualList } from './virtual-list.tsx';

const COLUMNS = ['Device', 'State', 'Sent', 'Attempt', 'Why'] as const;
const WIDTHS = '1fr 1.2fr 1.4fr 5rem 1.6fr';

interface UpgradeListProps {
  label: string;
  upgrades: readonly Upgrade[];
  /** Said where there is none. */
  empty: ComponentChildren;
}

export function UpgradeList({ label, upgrades, empty }: UpgradeListProps) {
  return (
    <VirtualList
      label={label}
      columns={COLUMNS}
      widths={WIDTHS}
      items={upgrades}
      keyOf={keyOf}
      cells={(upgrade) => [
        <UpgradeLink key="device" upgrade={upgrade} />,
        <StateMark key="state" words={STATE_WORDS[upgrade.state]} />,
        <TransferLine key="sent" upgrade={upgrade} />,
        upgrade.attempt,
        whyText(upgrade),
      ]}
      empty={<p>{empty}</p>}
    />
  );
}

function whyText({ code, detail, waitsFor, owner }: Upgrade): string {
  if (owner === 'nobody') return [code, detail].filter(Boolean).join(': ');
  return waitsFor || (detail ?? '');
}
