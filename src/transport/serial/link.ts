/** The link to a hub, by what its rig file writes as its port. */
import type { Link } from '../../ports.ts';
import { SerialLink, type SerialLinkOptions } from './serial-link.ts';
import { TcpLink } from './tcp-link.ts';

/** Opens nothing yet. */
export function newLink(options: SerialLinkOptions): Link {
  return options.port.startsWith('tcp://') ? new TcpLink(options.port) : new SerialLink(options);
}
