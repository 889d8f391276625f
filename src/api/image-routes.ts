/**
 * Images: listed, uploaded in pieces, deleted. An upload says first how many bytes it is to have
 * and what their SHA-256 is; bytes are taken as they come, so that one that broke off goes on where
 * it is.
 */
import type { GatewayControl, UploadView } from '../gateway/control.ts';
import { ControlError } from './gateway-problems.ts';
import {
  type ByteStream,
  type GatewayRoute,
  JSON_BYTES_MAX,
  route,
  UNWELL,
} from './gateway-route.ts';
import * as schemas from './schemas.ts';

const UPLOADS = '/api/v1/images/uploads';
/** Of one request: a large image comes in several. */
export const PIECE_BYTES_MAX = 4 * 1024 * 1024;
export const LIST_BYTES_MAX = 32 * 1024 * 1024;

export const imageRoutes: GatewayRoute[] = [
  route({
    operation: 'listImages',
    method: 'GET',
    path: '/images',
    role: 'viewer',
    summary: 'The images of the store.',
    answers: { 200: schemas.imagesAnswer },
    refuses: [],
    handle: (_call, { control }) => ({ status: 200, body: { images: control.images() } }),
  }),
  route({
    operation: 'showImage',
    method: 'GET',
    path: '/images/{sha256}',
    role: 'viewer',
    summary: 'One image of the store.',
    params: schemas.inImage,
    answers: { 200: schemas.imageView },
    refuses: ['image-missing'],
    handle({ params: { sha256 } }, { control }) {
      const image = control.images().find((one) => one.sha256 === sha256);
      if (image) return { status: 200, body: image };
      throw new ControlError('image-missing', { actual: sha256 });
    },
  }),
  route({
    operation: 'deleteImage',
    method: 'DELETE',
    path: '/images/{sha256}',
    role: 'operator',
    summary: 'Deletes an image that no job needs.',
    params: schemas.inImage,
    answers: { 204: null },
    refuses: ['image-missing', 'image-in-use', ...UNWELL],
    handle({ params: { sha256 }, by }, { control }) {
      if (!control.images().some((image) => image.sha256 === sha256)) {
        throw new ControlError('image-missing', { actual: sha256 });
      }
      control.deleteImage(sha256, by);
      return { status: 204 };
    },
  }),
  route({
    operation: 'beginUpload',
    method: 'POST',
    path: '/images/uploads',
    role: 'operator',
    summary: 'Begins an upload: 201 and where its bytes go, or 200 where the store has the image.',
    body: { kind: 'json', schema: schemas.uploadRequest, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.imageView, 201: schemas.uploadView },
    headers: { location: 'Of the upload, or of the image.' },
    refuses: ['image-size', 'store-full', 'disk-low', 'uploads-many', ...UNWELL],
    handle({ body, by }, { control }) {
      const begun = control.beginUpload(body, by);
      if ('upload' in begun) {
        const headers = { location: `${UPLOADS}/${begun.upload}`, ...offsetOf(begun) };
        return { status: 201, body: begun, headers };
      }
      const headers = { location: `/api/v1/images/${begun.sha256}` };
      return { status: 200, body: begun, headers };
    },
  }),
  route({
    operation: 'showUpload',
    method: 'GET',
    path: '/images/uploads/{upload}',
    role: 'operator',
    summary: 'How far an upload is. HEAD gives `Upload-Offset` and `Upload-Length` alone.',
    params: schemas.inUpload,
    answers: { 200: schemas.uploadView },
    headers: { 'upload-offset': 'Where it goes on.', 'upload-length': 'What it is to have.' },
    refuses: ['upload-unknown'],
    handle({ params }, { control }) {
      const upload = known(control, params.upload);
      return { status: 200, body: upload, headers: offsetOf(upload) };
    },
  }),
  route({
    operation: 'appendUpload',
    method: 'PATCH',
    path: '/images/uploads/{upload}',
    role: 'operator',
    summary: `Adds bytes at \`Upload-Offset\`, at most ${PIECE_BYTES_MAX} in one request.`,
    params: schemas.inUpload,
    asks: [
      {
        name: 'Upload-Offset',
        description: 'Where the bytes go.',
        pattern: '^[0-9]{1,15}$',
        isRequired: true,
      },
    ],
    body: {
      kind: 'stream',
      mediaType: 'application/offset+octet-stream',
      bytesMax: PIECE_BYTES_MAX,
    },
    answers: { 204: null },
    headers: { 'upload-offset': 'Where it goes on.', 'upload-length': 'What it is to have.' },
    refuses: ['upload-unknown', 'upload-offset', 'upload-too-long', ...UNWELL],
    async handle({ params, headers, body }, { control }) {
      const upload = known(control, params.upload);
      const at = offsetIn(headers['upload-offset']);
      assertOffset(upload, at);
      return { status: 204, headers: offsetOf(await append(control, upload, body)) };
    },
  }),
  route({
    operation: 'finishUpload',
    method: 'POST',
    path: '/images/uploads/{upload}/finish',
    role: 'operator',
    summary: 'Keeps the image if all of it is what was stated, and nothing of it otherwise.',
    params: schemas.inUpload,
    body: { kind: 'json', schema: schemas.nothing, bytesMax: JSON_BYTES_MAX },
    answers: { 201: schemas.imageView },
    headers: { location: 'Of the image.' },
    refuses: ['upload-unknown', 'upload-incomplete', 'digest-differs', ...UNWELL],
    handle({ params, by }, { control }) {
      const image = control.finishUpload(known(control, params.upload).upload, by);
      const headers = { location: `/api/v1/images/${image.sha256}` };
      return { status: 201, body: image, headers };
    },
  }),
  route({
    operation: 'abandonUpload',
    method: 'DELETE',
    path: '/images/uploads/{upload}',
    role: 'operator',
    summary: 'Forgets an upload and what came of it.',
    params: schemas.inUpload,
    answers: { 204: null },
    refuses: ['upload-unknown', ...UNWELL],
    handle({ params }, { control }) {
      control.abandonUpload(known(control, params.upload).upload);
      return { status: 204 };
    },
  }),
];

/** Each piece is in the store before the next is read: what breaks off later leaves it there. */
async function append(
  control: GatewayControl,
  upload: UploadView,
  bytes: ByteStream,
): Promise<UploadView> {
  assertFits(upload, upload.receivedBytes + (bytes.declaredBytes ?? 0));
  let reached = upload;
  for await (const chunk of bytes) {
    reached = control.appendUpload(upload.upload, reached.receivedBytes, chunk);
  }
  return reached;
}

function known(control: GatewayControl, id: string): UploadView {
  const upload = control.upload(id);
  if (upload) return upload;
  throw new ControlError('upload-unknown', { actual: id, next: 'begin it anew' });
}

function assertFits({ bytes }: UploadView, end: number): void {
  if (end <= bytes) return;
  throw new ControlError('body-large', { expected: `${bytes} bytes in all`, actual: 'more' });
}

function assertOffset(upload: UploadView, at: number): void {
  if (at === upload.receivedBytes) return;
  throw new ControlError('upload-offset', {
    expected: `${upload.receivedBytes}`,
    actual: `${at}`,
    next: 'go on from there',
    headers: offsetOf(upload),
  });
}

function offsetIn(value: string | string[] | undefined): number {
  if (typeof value === 'string' && /^[0-9]{1,15}$/.test(value)) return Number(value);
  const expected = 'a whole number';
  throw new ControlError('request-invalid', {
    errors: [{ pointer: '/header/upload-offset', expected }],
  });
}

function offsetOf({ receivedBytes, bytes }: UploadView): Record<string, string> {
  return { 'upload-offset': `${receivedBytes}`, 'upload-length': `${bytes}` };
}
