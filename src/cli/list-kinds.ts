/** What a list can be, in the order in which it is offered. */
export const LIST_KINDS = ['cpl', 'epcl', 'ppct', 'dmves', 'installations'] as const;

export type ListKindName = (typeof LIST_KINDS)[number];
