/** Every family of parsers there is. */
import { AUDIT } from './audit-targets.ts';
import { CAMPAIGN } from './campaign-targets.ts';
import { CONFIG } from './config-targets.ts';
import { IMAGE } from './image-targets.ts';
import { LISTS } from './list-targets.ts';
import { SMP } from './smp-targets.ts';
import type { Family } from './target.ts';
import { TRUST } from './trust-targets.ts';
import { XML } from './xml-targets.ts';
import { XMODEM } from './xmodem-targets.ts';
import { ZIGBEE } from './zigbee-targets.ts';

export const FAMILIES: readonly Family[] = [
  IMAGE,
  LISTS,
  XML,
  TRUST,
  AUDIT,
  SMP,
  XMODEM,
  ZIGBEE,
  CONFIG,
  CAMPAIGN,
];
