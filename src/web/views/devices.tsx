/** The devices of this gateway: what hangs where, what runs on it, and what can be done with it. */
import { useState } from 'preact/hooks';
import { ageText } from '../format.ts';
import { useAction, usePage } from '../page.ts';
import { MarkIcon, StateMark } from '../parts/mark.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { hrefOf } from '../route.ts';
import type { Device } from '../state.ts';
import { deviceWords, kindWords, needsRecovery, STATE_WORDS } from '../words.ts';

const COLUMNS = ['Device', 'State', 'Runs', 'Model', 'Upgrade', 'Actions'] as const;

export function Devices() {
  const { state } = usePage();
  const [wanted, setWanted] = useState('');
  const devices = [...state.devices.values()];
  const shown = devices.filter((device) => isMeant(device, wanted));
  return (
    <>
      <h1>Devices</h1>
      {devices.filter(needsRecovery).map((device) => (
        <Recovery key={device.id} device={device} />
      ))}
      <label class="field">
        Find a device
        <input
          type="search"
          value={wanted}
          placeholder="name, version, model, state"
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      </label>
      <p class="quiet" role="status">
        {shown.length} of {devices.length} devices
      </p>
      <VirtualList
        label="Devices"
        columns={COLUMNS}
        widths="1.3fr 1.1fr 0.9fr 1fr 1.1fr 16rem"
        items={shown}
        keyOf={({ id }) => id}
        cells={(device) => [
          <DeviceName key="name" device={device} />,
          <StateMark key="state" words={deviceWords(device)} />,
          <Runs key="runs" device={device} />,
          device.deviceModel ?? 'not stated',
          <DeviceUpgrade key="upgrade" device={device} />,
          <DeviceActions key="actions" device={device} />,
        ]}
        empty={<p>No device of this gateway is called so.</p>}
      />
    </>
  );
}

export function isMeant(device: Device, wanted: string): boolean {
  const { id, kind, runs, deviceModel, eui64, link } = device;
  const text = [id, kindWords(kind), runs, deviceModel, eui64, link, deviceWords(device).word];
  return text.join(' ').toLowerCase().includes(wanted.trim().toLowerCase());
}

function DeviceName({ device: { id, kind, link } }: { device: Device }) {
  return (
    <>
      <strong>{id}</strong>
      <span class="quiet block">
        {kindWords(kind)}, {link.replace(':', ' ')}
      </span>
    </>
  );
}

function Runs({ device: { runs, runsReadMs } }: { device: Device }) {
  const { nowMs } = usePage();
  if (runs === undefined) return <>not read yet</>;
  return (
    <>
      <code>{runs}</code>
      {runsReadMs !== undefined && (
        <span class="quiet block">read {ageText(runsReadMs, nowMs)}</span>
      )}
    </>
  );
}

function DeviceUpgrade({ device: { upgrade } }: { device: Device }) {
  const { state } = usePage();
  if (upgrade === undefined) return <>none</>;
  const known = state.upgrades.get(upgrade);
  return (
    <a href={hrefOf('jobs', upgrade.split('/'))}>
      {known ? <StateMark words={STATE_WORDS[known.state]} /> : upgrade}
    </a>
  );
}

function DeviceActions({ device }: { device: Device }) {
  const { client, may } = usePage();
  const { isBusy, trouble, run } = useAction();
  const { id } = device;
  return (
    <span class="actions">
      {may('readDevice') && (
        <button
          type="button"
          disabled={isBusy || !device.linkUp}
          aria-label={`Read version of ${id}`}
          onClick={() => run(() => client.ask('readDevice', { path: { device: id } }))}
        >
          Read version
        </button>
      )}
      {may('createJob') && (
        <a class="button" href={hrefOf('new', [], { device: id })} aria-label={`Upgrade ${id}`}>
          Upgrade
        </a>
      )}
      <Trouble error={trouble} />
    </span>
  );
}

function Recovery({ device: { id, reading } }: { device: Device }) {
  const { may } = usePage();
  const what = reading?.answers === 'recovery' ? "MCUboot's serial recovery" : 'Its bootloader';
  return (
    <section class="notice" aria-label={`Recovery of ${id}`}>
      <p>
        <MarkIcon mark="person" /> <strong>{id} has no application that answers.</strong> {what}{' '}
        does, and takes an image: this is how the hub is brought back.{' '}
        <a href="/manual/field/recover-a-hub">The manual says how.</a>
      </p>
      {may('createJob') && (
        <a class="button primary" href={hrefOf('new', [], { device: id })}>
          Recover {id}
        </a>
      )}
    </section>
  );
}
