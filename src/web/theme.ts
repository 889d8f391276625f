/** How bright the page is: as the system says, light, dark, or with all contrast there is for bright sun. */

export const THEMES = {
  system: 'As the system',
  light: 'Light',
  dark: 'Dark',
  sun: 'Bright sun',
} as const;

export type Theme = keyof typeof THEMES;

const KEY = 'theme';

export function keptTheme(): Theme {
  const kept = localStorage.getItem(KEY) ?? '';
  return Object.hasOwn(THEMES, kept) ? (kept as Theme) : 'system';
}

export function applyTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme;
  localStorage.setItem(KEY, theme);
}
