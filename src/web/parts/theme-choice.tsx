/** How bright the page is, for whoever stands in the sun or in a cellar. */
import { useEffect, useState } from 'preact/hooks';
import { applyTheme, keptTheme, THEMES, type Theme } from '../theme.ts';

export function ThemeChoice() {
  const [theme, setTheme] = useState<Theme>(keptTheme);
  useEffect(() => applyTheme(theme), [theme]);
  return (
    <label class="theme">
      <span>Brightness</span>
      <select
        aria-label="Brightness"
        value={theme}
        onChange={({ currentTarget }) => setTheme(currentTarget.value as Theme)}
      >
        {Object.entries(THEMES).map(([name, label]) => (
          <option key={name} value={name}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}
