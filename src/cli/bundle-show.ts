/** `uplift bundle show`: what is on a medium, and whether the images are what their names say. */
import { EXIT, type ExitCode } from '../errors.ts';
import { Bundle, type FoundCampaign } from '../fleet/bundle/bundle.ts';
import { bytesText, type Output } from './output.ts';

export function show(folder: string, output: Output): ExitCode {
  const bundle = Bundle.open(folder);
  const campaigns = bundle.campaigns.map((one) => campaignOf(bundle, one));
  const named = new Set(campaigns.flatMap(({ images }) => images.map(({ sha256 }) => sha256)));
  const strangers = [...bundle.blobs.keys()].filter((sha256) => !named.has(sha256));
  const isWhole = campaigns.every(
    ({ code, images }) =>
      code === undefined && images.every(({ standing }) => standing === 'there'),
  );
  const lines = campaigns.flatMap(({ file, id, digest, code, message, images }) => [
    code === undefined ? `${id}  ${digest}` : `${file}: ${message} (${code})`,
    ...images.map(
      ({ standing, sha256, bytes, firmwareVersion }) =>
        `  ${standing.padEnd(8)} ${sha256}  ${bytesText(bytes)} bytes, version ${firmwareVersion}`,
    ),
  ]);
  const document = { root: bundle.places.root, whole: isWhole, campaigns, strangers };
  output.result(document, [
    ...(lines.length > 0 ? lines : ['no campaign']),
    ...strangers.map((sha256) => `of no campaign: ${sha256}`),
    'not verified: `uplift campaign check` says whether to believe a campaign',
  ]);
  return isWhole ? EXIT.done : EXIT.refused;
}

function campaignOf(bundle: Bundle, { file, manifest, digest, code, message }: FoundCampaign) {
  const images = (manifest?.images ?? []).map((image) => {
    const { sha256, bytes, firmwareVersion } = image;
    return { sha256, bytes, firmwareVersion, standing: bundle.standingOf(image) };
  });
  return { file, id: manifest?.id, digest, code, message, images };
}
