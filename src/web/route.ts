/** Where one is on the page: after the `#`, so that every place can be kept, shared and gone back to. */

export const VIEWS = {
  devices: 'Devices',
  jobs: 'Jobs',
  new: 'New upgrade',
  images: 'Images',
  campaigns: 'Campaigns',
  rules: 'Rules',
  audit: 'Audit',
  health: 'Health',
} as const;

export type ViewName = keyof typeof VIEWS | 'certificate';

export interface Place {
  view: ViewName;
  /** Steps after the view: a job, a device of it. */
  steps: readonly string[];
  query: Readonly<Record<string, string>>;
}

const HOME: Place = { view: 'devices', steps: [], query: {} };

export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view = '', ...steps] = path.split('/').map(decoded);
  if (!Object.hasOwn(VIEWS, view) && view !== 'certificate') return HOME;
  const pairs = query.split('&').flatMap((pair) => {
    const [name = '', value = ''] = pair.split('=').map(decoded);
    return name === '' ? [] : [[name, value]];
  });
  return { view: view as ViewName, steps, query: Object.fromEntries(pairs) };
}

export function hrefOf(
  view: ViewName,
  steps: readonly string[] = [],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const words = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  const path = [view, ...steps].map(encodeURIComponent).join('/');
  return `#/${path}${words.length === 0 ? '' : `?${words.join('&')}`}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
