/** Every fact that a rule of admission can see. */
import { CONTEXT_FACTS, POLICY_FACTS } from './context-fact-rows.ts';
import type { FactRow } from './fact-row.ts';
import { DEVICE_FACTS, IMAGE_FACTS } from './image-fact-rows.ts';
import { LIST_FACTS } from './list-fact-rows.ts';

export const FACTS = {
  ...IMAGE_FACTS,
  ...DEVICE_FACTS,
  ...LIST_FACTS,
  ...CONTEXT_FACTS,
  ...POLICY_FACTS,
} satisfies Record<string, FactRow>;

export type FactName = keyof typeof FACTS;
