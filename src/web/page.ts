/** The page as its parts see it: what is known, who asks, and one way to be told that something changed. */
import { createContext } from 'preact';
import { useCallback, useContext, useEffect, useRef, useState } from 'preact/hooks';
import {
  type Answer,
  type Asked,
  type Client,
  mayAsk,
  NotReachable,
  type OperationName,
  Refusal,
} from './client.ts';
import type { PageState } from './state.ts';

export interface Page {
  client: Client;
  state: PageState;
  signOut(): void;
}

export const PageContext = createContext<Page | undefined>(undefined);

export function usePage(): Page & { nowMs: number; may(operation: OperationName): boolean } {
  const page = useContext(PageContext)!;
  const { identity } = page.state;
  return {
    ...page,
    nowMs: page.state.shownMs(Date.now()),
    may: (operation) => identity !== undefined && mayAsk(identity.role, operation),
  };
}

/** An answer, kept while a newer one is asked for. */
export interface Found<T> {
  answer: T | undefined;
  trouble: Error | undefined;
  ask(): void;
}

/** Asks at first, and again whenever `key` is another one; `undefined`: not now. */
export function useAnswer<Name extends OperationName>(
  name: Name,
  asked: Asked<Name>,
  key: string | undefined,
): Found<Answer<Name>> {
  const { client, state } = usePage();
  const [found, setFound] = useState<{ answer?: Answer<Name>; trouble?: Error }>({});
  const turn = useRef(0);
  const ask = useCallback(() => {
    const mine = ++turn.current;
    client.ask(name, asked).then(
      (answer) => mine === turn.current && setFound({ answer }),
      (trouble: Error) => mine === turn.current && setFound((before) => ({ ...before, trouble })),
    );
  }, [client, name, key, state.connections]);
  useEffect(() => {
    if (key !== undefined) ask();
  }, [ask]);
  return { answer: found.answer, trouble: found.trouble, ask };
}

/** Something that a button does: whether it is under way, and what went wrong. */
export function useAction(): {
  isBusy: boolean;
  trouble: Error | undefined;
  run(work: () => Promise<unknown>): void;
} {
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<Error | undefined>();
  const run = (work: () => Promise<unknown>) => {
    setBusy(true);
    setTrouble(undefined);
    work()
      .catch((error: unknown) => {
        if (!(error instanceof Refusal || error instanceof NotReachable)) throw error;
        setTrouble(error);
      })
      .finally(() => setBusy(false));
  };
  return { isBusy, trouble, run };
}
