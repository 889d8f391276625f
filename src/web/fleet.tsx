/** The page of a coordinator: campaigns, and how their rings fill. */
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { FleetClient } from './client.ts';
import { momentText, timeText } from './format.ts';
import { MarkIcon } from './parts/mark.tsx';
import { ThemeChoice } from './parts/theme-choice.tsx';
import { Trouble } from './parts/trouble.tsx';
import { applyTheme, keptTheme } from './theme.ts';
import { type FleetCampaign, FleetCampaigns } from './views/fleet-campaigns.tsx';
import { Door, type InsideProps } from './views/sign-in.tsx';

const ABOUT = 'Campaigns of firmware upgrades over many gateways.';
/** A coordinator tells of a change when it is asked. */
const ASK_MS = 3_000;
const PAGE = '100';

function Fleet() {
  return (
    <Door about={ABOUT} help="/manual/fleet/coordinator" check={campaignsOf} Inside={SignedIn} />
  );
}

interface Seen {
  campaigns?: readonly FleetCampaign[];
  /** When they were as they are shown. */
  atMs?: number;
  /** Why they are not of now. */
  trouble?: Error;
}

function SignedIn({ token, onLeave }: InsideProps) {
  const [{ campaigns, atMs, trouble }, setSeen] = useState<Seen>({});
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isOver = false;
    const look = async (): Promise<void> => {
      const seen = await campaignsOf(token, () => onLeave(true)).then(
        (found): Seen => ({ campaigns: found, atMs: Date.now() }),
        (error: Error): Seen => ({ trouble: error }),
      );
      if (isOver) return;
      setSeen(({ trouble: _, ...before }) => ({ ...before, ...seen }));
      timer = setTimeout(look, ASK_MS);
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [token]);
  return (
    <>
      <header>
        <div class="bar">
          <p class="brand">Uplift fleet</p>
          <ThemeChoice />
          <button type="button" onClick={() => onLeave(false)}>
            Sign out
          </button>
        </div>
        <nav aria-label="Views">
          <ul class="plain">
            <li>
              <a href="/" aria-current="page">
                Campaigns
              </a>
            </li>
            <li>
              <a href="/manual/">Manual</a>
            </li>
          </ul>
        </nav>
      </header>
      <main id="content" class={trouble ? 'lost' : 'live'}>
        <h1>Campaigns</h1>
        {trouble && atMs !== undefined && (
          <p class="away" role="status">
            <MarkIcon mark="bad" /> <strong>Not reachable since {timeText(atMs)}.</strong> What is
            shown is from then, {momentText(atMs)}. The page asks again by itself.
          </p>
        )}
        {campaigns ? <FleetCampaigns campaigns={campaigns} /> : <Trouble error={trouble} />}
      </main>
    </>
  );
}

/** All of them, the newest first. @throws Refusal, NotReachable */
async function campaignsOf(token: string, onUnknown?: () => void): Promise<FleetCampaign[]> {
  const client = new FleetClient(token, onUnknown);
  const found: FleetCampaign[] = [];
  for (let after: string | undefined; ; ) {
    const query = { limit: PAGE, ...(after === undefined ? {} : { after }) };
    const { campaigns, next } = await client.ask('listCampaigns', { query });
    found.push(...campaigns);
    if (next === undefined) return found.sort((a, b) => b.submittedMs - a.submittedMs);
    after = next;
  }
}

applyTheme(keptTheme());
render(<Fleet />, document.getElementById('page')!);
