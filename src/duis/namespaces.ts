/**
 * Of the DCC User Interface, the same in every version of it; prefixes are free, these are ours.
 */
export const NAMESPACES = {
  /** Requests, responses, alerts. */
  sr: 'http://www.dccinterface.co.uk/ServiceUserGateway',
  /** What SMETS1 devices said. */
  ra: 'http://www.dccinterface.co.uk/ResponseAndAlert',
} as const;
