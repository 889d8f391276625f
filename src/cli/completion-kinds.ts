/** Known before anything else is read: shells that can be told, and what they may ask for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export const VALUE_KINDS = ['devices', 'jobs'] as const;

export type Shell = (typeof SHELLS)[number];
export type ValueKind = (typeof VALUE_KINDS)[number];
