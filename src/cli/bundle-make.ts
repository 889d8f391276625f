/** `uplift bundle make`: campaigns and their images for a gateway that nobody connects. */
import { EXIT, type ExitCode } from '../errors.ts';
import { makeBundle } from '../fleet/bundle/make-bundle.ts';
import { type SignerOptions, signersIn } from './duis-documents.ts';
import { bytesText, type Output } from './output.ts';
import { barText } from './work-bar.ts';

export interface BundleMakeOptions extends SignerOptions {
  campaign: string[];
  image?: string[];
  out: string;
}

export function make(options: BundleMakeOptions, output: Output): ExitCode {
  const { campaign: campaigns, image: images = [], out, anchors } = options;
  const isShown = !output.quiet && !output.json && process.stderr.isTTY === true;
  const made = makeBundle(
    { campaigns, images, out, ...(anchors === undefined ? {} : { trust: signersIn(options) }) },
    (bytes, of) => {
      if (isShown) process.stderr.write(`\r${barText('images', bytes, of)}`);
    },
  );
  if (isShown) process.stderr.write('\r\u001b[2K');
  const { root, bytes, isVerified } = made;
  const shown = made.campaigns.map(({ manifest, digest }) => ({ id: manifest.id, digest }));
  const files = made.images.map(({ sha256, bytes }) => ({ sha256, bytes }));
  const trusted = isVerified
    ? 'signatures and approvals are complete'
    : 'signatures were not checked: name trust anchors with --anchors';
  output.result({ root, campaigns: shown, images: files, bytes, verified: isVerified }, [
    ...shown.map(({ id, digest }) => `${id}  ${digest}`),
    `${root}: ${shown.length} campaigns, ${files.length} images, ${bytesText(bytes)} bytes`,
    trusted,
  ]);
  return EXIT.done;
}
