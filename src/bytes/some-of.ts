/** A long list of names, cut short for a sentence. */
export function someOf(names: Iterable<string>, most = 12): string {
  const all = [...names];
  const rest = all.length - most;
  return `${all.slice(0, most).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
