/** The page: who looks, what is looked at, and whether what is shown is of now. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Client, Refusal } from './client.ts';
import { Feed } from './feed.ts';
import { durationText, timeText } from './format.ts';
import { type Page, PageContext, usePage } from './page.ts';
import { MarkIcon, StateMark } from './parts/mark.tsx';
import { ThemeChoice } from './parts/theme-choice.tsx';
import { hrefOf, type Place, placeOf, VIEWS, type ViewName } from './route.ts';
import { PageState } from './state.ts';
import { Audit } from './views/audit.tsx';
import { Campaigns } from './views/campaigns.tsx';
import { CertificateView } from './views/certificate.tsx';
import { Devices } from './views/devices.tsx';
import { HealthView } from './views/health.tsx';
import { Images } from './views/images.tsx';
import { JobView } from './views/job.tsx';
import { Jobs } from './views/jobs.tsx';
import { NewUpgrade } from './views/new-upgrade.tsx';
import { Rules } from './views/rules.tsx';
import { Door, type InsideProps } from './views/sign-in.tsx';
import { HEALTH_WORDS } from './words.ts';

const ABOUT = 'Firmware upgrades of Communications Hubs and PPMIDs, on this gateway.';
/** Ages are told to the second. */
const TICK_MS = 1_000;

export function App() {
  return <Door about={ABOUT} help="/manual/field/the-page" check={whoIs} Inside={SignedIn} />;
}

function whoIs(token: string): Promise<unknown> {
  return new Client(token).ask('whoAmI', {});
}

function SignedIn({ token, onLeave }: InsideProps) {
  const [page, setPage] = useState<Page | undefined>();
  useEffect(() => {
    const client = new Client(token, () => onLeave(true));
    const state = new PageState(Date.now());
    const show = () => setPage({ client, state, signOut: () => onLeave(false) });
    const changed = oncePerFrame(show);
    const feed = new Feed({ client, state, timers: TIMERS, changed });
    feed.run().catch((error: unknown) => onLeave(error instanceof Refusal));
    const tick = setInterval(changed, TICK_MS);
    show();
    return () => {
      feed.stop();
      clearInterval(tick);
    };
  }, [token]);
  if (!page) return null;
  return (
    <PageContext.Provider value={page}>
      <Shell />
    </PageContext.Provider>
  );
}

function Shell() {
  const { state } = usePage();
  const place = usePlace();
  const content = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${titleOf(place)} – Uplift`;
    if (!isFirst.current) content.current?.focus();
    isFirst.current = false;
  }, [place]);
  return (
    <>
      <Header current={place.view} onSkip={() => content.current?.focus()} />
      <Standing />
      <main ref={content} tabIndex={-1} id="content" class={state.connection.state}>
        {state.identity ? <View place={place} /> : <p role="status">Asking the gateway.</p>}
      </main>
    </>
  );
}

function Header({ current, onSkip }: { current: ViewName; onSkip(): void }) {
  const { state, signOut, may } = usePage();
  const views = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const list = views.current;
    const link = list?.querySelector('[aria-current]');
    if (!list || !link) return;
    // On a phone they are one row. `scrollIntoView` would have the Tab key go on from there.
    const [row, box] = [list.getBoundingClientRect(), link.getBoundingClientRect()];
    if (box.left < row.left || box.right > row.right) list.scrollLeft += box.left - row.left;
  }, [current]);
  const { identity, health } = state;
  const shown = Object.entries(VIEWS).filter(([view]) => view !== 'new' || may('createJob'));
  return (
    <header class="no-print">
      <button type="button" class="skip" onClick={onSkip}>
        Skip to the content
      </button>
      <div class="bar">
        <p class="brand">Uplift {health?.gateway}</p>
        {identity && (
          <p class="who">
            {identity.by.replace(/^api:/, '')} <span class="role">{identity.role}</span>
          </p>
        )}
        <ThemeChoice />
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </div>
      <nav aria-label="Views">
        <ul class="plain" ref={views}>
          {shown.map(([view, label]) => (
            <li key={view}>
              <a
                href={hrefOf(view as ViewName)}
                aria-current={view === current ? 'page' : undefined}
              >
                {label}
              </a>
            </li>
          ))}
          <li>
            <a href="/manual/">Manual</a>
          </li>
        </ul>
      </nav>
    </header>
  );
}

/** What everybody has to see: the gateway is away, or not well. */
function Standing() {
  const { state, nowMs } = usePage();
  const { connection, health } = state;
  return (
    <div role="status" class="standing no-print">
      {connection.state === 'lost' && (
        <p class="away">
          <MarkIcon mark="bad" />{' '}
          <strong>
            Gateway not reachable since {timeText(connection.sinceMs)} (
            {durationText(Date.now() - connection.sinceMs)}).
          </strong>{' '}
          What is shown is from then, {timeText(nowMs)} on the gateway's clock. The page connects
          again by itself.
        </p>
      )}
      {connection.state === 'live' && health && health.state !== 'ready' && (
        <p class="away">
          <StateMark words={HEALTH_WORDS[health.state]} />{' '}
          {health.reasons.map(({ message }) => message).join(' ')}
        </p>
      )}
    </div>
  );
}

function View({ place: { view, steps, query } }: { place: Place }) {
  const [one, two] = steps;
  switch (view) {
    case 'devices':
      return <Devices />;
    case 'jobs':
      return one === undefined ? <Jobs /> : <JobView key={one} job={one} device={two} />;
    case 'new':
      return <NewUpgrade key={JSON.stringify(query)} query={query} />;
    case 'images':
      return <Images />;
    case 'campaigns':
      return <Campaigns />;
    case 'rules':
      return <Rules rule={one} />;
    case 'audit':
      return <Audit />;
    case 'health':
      return <HealthView />;
    case 'certificate':
      return <CertificateView job={one ?? ''} device={two ?? ''} />;
  }
}

function usePlace(): Place {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  const place = useRef<{ hash: string; place: Place }>({ hash, place: placeOf(hash) });
  if (place.current.hash !== hash) place.current = { hash, place: placeOf(hash) };
  return place.current.place;
}

function titleOf({ view, steps }: Place): string {
  const label = view === 'certificate' ? 'Certificate' : VIEWS[view];
  return [label, ...steps].join(' ');
}

/** However often it is asked for: a page that nobody sees is not drawn. */
function oncePerFrame(work: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      work();
    });
  };
}

const TIMERS = {
  nowMs: () => Date.now(),
  wait: (ms: number, signal: AbortSignal) =>
    new Promise<void>((wake) => {
      const timer = setTimeout(wake, ms);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        wake();
      });
    }),
};
