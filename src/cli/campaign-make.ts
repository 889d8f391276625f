/** `uplift campaign make`: a campaign that nobody has signed, out of a description in YAML. */
import {
  CAMPAIGN_CONTENT_TYPE,
  encodeManifest,
  readManifestDocument,
} from '../campaign/manifest.ts';
import { readYaml, type YamlSource } from '../config/yaml-source.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { loadCertificates } from '../gateway/trust-documents.ts';
import { encodeUnsigned } from '../trust/cose.ts';
import { sha256Hex } from '../trust/digest.ts';
import { campaignLines } from './campaign-documents.ts';
import { writeDocument } from './duis-documents.ts';
import type { Output } from './output.ts';

export interface MakeOptions {
  out: string;
  author?: string;
}

export function make(path: string, { out, author }: MakeOptions, output: Output): ExitCode {
  const source = readYaml(path, path);
  const written = source.value();
  const read = readManifestDocument(
    author === undefined ? written : withAuthor(written, fingerprintIn(author)),
  );
  if (!read.ok) throw wrongDescription(source, read.code, read.message, read.field ?? '');
  const { manifest } = read;
  const payload = encodeManifest(manifest);
  const digest = sha256Hex(payload);
  const bytes = encodeUnsigned(payload, CAMPAIGN_CONTENT_TYPE);
  writeDocument(bytes, out);
  output.result({ out, digest, bytes: bytes.length, id: manifest.id }, [
    ...campaignLines(manifest, digest),
    `written to ${out}: its author signs next`,
  ]);
  return EXIT.done;
}

/** The key id of the author's signature. */
function fingerprintIn(path: string): string {
  const [certificate] = loadCertificates([path]);
  if (certificate) return certificate.fingerprint;
  throw new UpliftError('certificate-missing', `${path} holds no certificate`, {
    expected: 'the certificate of the author, as PEM',
    actual: 'none',
    next: 'name the file that `uplift campaign sign --certificate` will be given',
  });
}

function withAuthor(written: unknown, author: string): unknown {
  const isMapping = typeof written === 'object' && written !== null && !Array.isArray(written);
  return isMapping ? { ...written, author } : written;
}

/** `rings[1].percent` is a path in the file too. */
function wrongDescription(
  source: YamlSource,
  code: string,
  message: string,
  field: string,
): UpliftError {
  const path = [...field.matchAll(/[^.[\]]+/g)].map(([step]) =>
    /^\d+$/.test(step) ? Number(step) : step,
  );
  const { line, column } = source.placeOfValue(path);
  return new UpliftError(code, `${source.file} describes no campaign`, {
    expected: 'a campaign whose every field is known and within its bounds',
    actual: `${message}, line ${line}, column ${column}`,
    next: 'correct it there',
  });
}
