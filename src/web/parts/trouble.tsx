/** What went wrong: code, cause, what to do next, and where the manual says more. */
import { Refusal } from '../client.ts';
import { MarkIcon } from './mark.tsx';

export interface Told {
  code?: string | undefined;
  /** In a sentence. */
  cause: string;
  expected?: string | undefined;
  actual?: string | undefined;
  next?: string | undefined;
}

export function Trouble({ error }: { error: Error | undefined }) {
  if (!error) return null;
  return (
    <div role="alert">
      <TroubleText told={toldOf(error)} />
    </div>
  );
}

export function TroubleText({ told: { code, cause, expected, actual, next } }: { told: Told }) {
  return (
    <div class="trouble">
      <p class="trouble-head">
        <MarkIcon mark="bad" /> <strong>{cause}</strong>
      </p>
      <dl class="facts">
        {expected !== undefined && <Fact name="Expected" value={expected} />}
        {actual !== undefined && <Fact name="Found" value={actual} />}
        {next !== undefined && <Fact name="What to do" value={next} />}
        {code !== undefined && (
          <div>
            <dt>Code</dt>
            <dd>
              <ManualLink code={code} />
            </dd>
          </div>
        )}
      </dl>
    </div>
  );
}

/** The page of the manual that is on this gateway. */
export function ManualLink({ code }: { code: string }) {
  // A refusal by a rule has the name of the rule for its code.
  const page = code.includes('.') ? 'rules' : 'error-codes';
  return (
    <a href={`/manual/reference/${page}#${encodeURIComponent(code)}`}>
      <code>{code}</code> in the manual
    </a>
  );
}

export function Fact({ name, value }: { name: string; value: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function toldOf(error: Error): Told {
  if (!(error instanceof Refusal))
    return { cause: 'The gateway does not answer.', next: NOT_THERE };
  const { code, title, detail, expected, actual, next, errors } = error.problem;
  const fields = errors?.map(({ pointer, expected: wanted }) => `${pointer}: ${wanted}`).join('; ');
  return { code, cause: title, expected: expected ?? fields, actual: actual ?? detail, next };
}

const NOT_THERE =
  'Check that this device is on the network of the gateway and that the gateway has power; the page ' +
  'connects again by itself.';
