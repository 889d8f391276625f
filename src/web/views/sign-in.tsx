/** Who looks: the token is asked for once, and kept for as long as the tab is open. */
import { useState } from 'preact/hooks';
import { Client } from '../client.ts';
import { useAction } from '../page.ts';
import { Trouble } from '../parts/trouble.tsx';

export function SignIn({
  onToken,
  wasRefused,
}: {
  onToken(token: string): void;
  wasRefused: boolean;
}) {
  const [token, setToken] = useState('');
  const { isBusy, trouble, run } = useAction();
  const signIn = (event: Event) => {
    event.preventDefault();
    const given = token.trim();
    run(async () => {
      await new Client(given).ask('whoAmI', {});
      onToken(given);
    });
  };
  return (
    <main class="sign-in" id="content">
      <h1>Uplift</h1>
      <p>Firmware upgrades of Communications Hubs and PPMIDs, on this gateway.</p>
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
          <code>uplift api token</code> makes one. It is kept until this tab is closed, and sent to
          this gateway alone.
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          Sign in
        </button>
      </form>
      <Trouble error={trouble} />
    </main>
  );
}
