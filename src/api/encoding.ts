/** Whether whoever asks takes an answer packed by gzip (RFC 9110, 12.5.3); `q=0` is a no. */
import type { IncomingHttpHeaders } from 'node:http';

export function takesGzip(headers: Readonly<IncomingHttpHeaders>): boolean {
  const { 'accept-encoding': written = '' } = headers;
  return `${written}`.split(',').some((one) => {
    const [coding, quality = 'q=1'] = one
      .trim()
      .toLowerCase()
      .split(/\s*;\s*/);
    return (coding === 'gzip' || coding === '*') && !/^q=0(\.0*)?$/.test(quality);
  });
}
