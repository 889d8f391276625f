/** Who looks: the token is asked for once, and kept for as long as the tab is open. */
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useAction } from '../page.ts';
import { Trouble } from '../parts/trouble.tsx';

const TOKEN_KEY = 'token';

interface DoorProps {
  about: string;
  /** The page of the manual about it. */
  help: string;
  /** @throws Refusal, NotReachable */
  check(token: string): Promise<unknown>;
  /** What whoever is signed in sees; made anew for another token. */
  Inside(props: InsideProps): JSX.Element | null;
}

export interface InsideProps {
  token: string;
  onLeave(refused: boolean): void;
}

/** Who is not signed in is asked for a token first. */
export function Door({ Inside, ...asked }: DoorProps) {
  const [token, setToken] = useState(sessionStorage.getItem(TOKEN_KEY));
  const [wasRefused, setRefused] = useState(false);
  const enter = (given: string) => {
    sessionStorage.setItem(TOKEN_KEY, given);
    setRefused(false);
    setToken(given);
  };
  const leave = (refused: boolean) => {
    sessionStorage.removeItem(TOKEN_KEY);
    setRefused(refused);
    setToken(null);
  };
  if (token === null) return <SignIn {...asked} wasRefused={wasRefused} onToken={enter} />;
  return <Inside key={token} token={token} onLeave={leave} />;
}

interface SignInProps extends Omit<DoorProps, 'Inside'> {
  wasRefused: boolean;
  onToken(token: string): void;
}

function SignIn({ about, help, wasRefused, check, onToken }: SignInProps) {
  const [token, setToken] = useState('');
  const { isBusy, trouble, run } = useAction();
  const signIn = (event: Event) => {
    event.preventDefault();
    const given = token.trim();
    run(async () => {
      await check(given);
      onToken(given);
    });
  };
  return (
    <main class="sign-in" id="content">
      <h1>Uplift</h1>
      <p>{about}</p>
      {wasRefused && <p class="notice">Your token is not known any more: give another one.</p>}
      <form onSubmit={signIn}>
        <label class="field">
          Token
          <input
            type="password"
            autocomplete="current-password"
            required
            value={token}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
        </label>
        <p class="quiet">
          <code>uplift api token</code> makes one. It is kept until this tab is closed, and sent
          nowhere else. <a href={help}>How this page is used</a>
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          Sign in
        </button>
      </form>
      <Trouble error={trouble} />
    </main>
  );
}
