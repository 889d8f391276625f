/** `uplift image list`, `put` and `rm`: the images that a running gateway keeps. */
import { basename } from 'node:path';
import type { ApiClient } from '../api/client.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { ImageView } from '../gateway/control.ts';
import { printable } from '../products/codes.ts';
import { usage } from './inputs.ts';
import { type AskOptions, clientOf } from './job.ts';
import { bytesText, type Output, table } from './output.ts';
import { barText } from './work-bar.ts';

export async function listImages(options: AskOptions, output: Output): Promise<ExitCode> {
  const document = await clientOf(options).get<{ images: ImageView[] }>('/images');
  const rows = document.images.map(({ sha256, bytes, name, format, neededBy }) => [
    sha256,
    bytesText(bytes),
    printable(name),
    format ?? '-',
    neededBy.length === 0 ? 'needed by no job' : `needed by ${neededBy.join(', ')}`,
  ]);
  output.result(document, rows.length === 0 ? ['no image'] : table(rows));
  return EXIT.done;
}

export async function putImage(
  path: string,
  options: AskOptions,
  output: Output,
): Promise<ExitCode> {
  const image = await upload(clientOf(options), path, output);
  output.result(image, [`${image.sha256}  ${bytesText(image.bytes)} bytes`]);
  return EXIT.done;
}

export async function removeImage(
  sha256: string,
  options: AskOptions,
  output: Output,
): Promise<ExitCode> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw usage('<sha256>', '64 hexadecimal digits', sha256);
  await clientOf(options).delete(`/images/${sha256}`);
  output.result({ removed: sha256 }, [`${sha256} is gone`]);
  return EXIT.done;
}

/** With a moving bar where somebody looks. */
export async function upload(client: ApiClient, path: string, output: Output): Promise<ImageView> {
  const isShown = !output.quiet && !output.json && process.stderr.isTTY === true;
  const image = await client.upload(path, (sent, bytes) => {
    if (isShown) process.stderr.write(`\r${barText(basename(path), sent, bytes)}`);
  });
  if (isShown) process.stderr.write('\r\u001b[2K');
  return image;
}
