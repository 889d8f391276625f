/** The paths of images in a scenario: written relative to its file. */
import { resolve } from 'node:path';
import type { Cell } from './scenario.ts';

/** The same steps with the paths of their images absolute. */
export function withAbsoluteImages<T>(value: T, folder: string): T {
  return absolute(value, folder) as T;
}

function absolute(value: unknown, folder: string): unknown {
  if (Array.isArray(value)) return value.map((entry) => absolute(entry, folder));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => {
      const isPath = key === 'image' && typeof part === 'string';
      return [key, isPath ? resolve(folder, part) : absolute(part, folder)];
    }),
  );
}

/** Those that a combination names as `image`, absolute. */
export function imagesOfCell({ image }: Cell, folder: string): string[] {
  if (image === undefined) return [];
  const named = typeof image === 'object' ? Object.values(image) : [image];
  return named.map((path) => resolve(folder, String(path)));
}
