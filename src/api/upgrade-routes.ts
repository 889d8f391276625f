/**
 * What whoever stands in front of the devices asks: who am I, what is under way, what would happen, and
 * what was done.
 */
import { type Certificate, certificateOf, certificateText } from '../audit/certificate.ts';
import type { GatewayControl } from '../gateway/control.ts';
import { isOver } from '../jobs/states.ts';
import { ControlError } from './gateway-problems.ts';
import { type GatewayRoute, JSON_BYTES_MAX, route } from './gateway-route.ts';
import { ApiError } from './problem.ts';
import * as schemas from './schemas.ts';
import { reviewOf, upgradeOf } from './views.ts';

const PAGE = 1_000;

export const upgradeRoutes: GatewayRoute[] = [
  route({
    operation: 'whoAmI',
    method: 'GET',
    path: '/me',
    role: 'viewer',
    summary: 'Who asks, and by which role.',
    answers: { 200: schemas.identityView },
    refuses: [],
    // Whoever comes to a gateway comes by a role.
    handle: ({ by, who: { role } }) => ({ status: 200, body: { by, role: role! } }),
  }),
  route({
    operation: 'listUpgrades',
    method: 'GET',
    path: '/upgrades',
    role: 'viewer',
    summary:
      'Upgrades of all jobs that are not over, a page at a time; `sequence` is that of the newest record ' +
      'they were told by: events from the next one on keep them as they are.',
    query: schemas.upgradeQuery,
    answers: { 200: schemas.upgradePage },
    refuses: [],
    handle({ query: { skip = 0, limit = PAGE } }, { control }) {
      const { sequence } = control.health().journal;
      const found = openUpgrades(control, skip, limit + 1);
      const upgrades = found.slice(0, limit).map((upgrade) => ({
        job: upgrade.job.id,
        image: upgrade.job.request.image,
        ...upgradeOf(upgrade, control.explain(upgrade)),
      }));
      const more = found.length > limit ? { next: skip + limit } : {};
      return { status: 200, body: { sequence, upgrades, ...more } };
    },
  }),
  route({
    operation: 'reviewUpgrade',
    method: 'POST',
    path: '/reviews',
    role: 'operator',
    summary:
      'What would become of an upgrade, by device: what is installed, why it is allowed or refused, how ' +
      'long it takes, and who has to approve it. Nothing is asked, sent or recorded.',
    body: { kind: 'json', schema: schemas.reviewRequest, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.reviewAnswer },
    refuses: ['device-unknown', 'image-unknown', 'image-missing'],
    handle({ body: { image, devices, activation } }, { control }) {
      const found = control.images().find(({ sha256 }) => sha256 === image);
      if (!found) throw new ControlError('image-unknown', { actual: image });
      const reviews = control.review(image, devices, activation).map(reviewOf);
      return { status: 200, body: { image: found, reviews } };
    },
  }),
  route({
    operation: 'showCertificate',
    method: 'GET',
    path: '/jobs/{job}/certificates/{device}',
    role: 'viewer',
    summary:
      'The certificate of an upgrade whose version was read back. `text` is verified by ' +
      '`uplift audit check --certificate`.',
    params: schemas.inCertificate,
    answers: { 200: schemas.certificateView },
    refuses: ['job-unknown', 'not-done'],
    handle({ params: { job: id, device } }, { control }) {
      const job = control.job(id);
      if (!job) throw new ControlError('job-unknown', { actual: id });
      const certificate = certificateOf(control.story(id), id, device);
      if (!certificate) {
        const upgrade = job.upgrades.find((one) => one.device === device);
        throw new ApiError('not-done', {
          expected: 'an upgrade whose version was read back',
          actual: upgrade?.state ?? 'none of this device',
        });
      }
      return { status: 200, body: certificateView(certificate, control) };
    },
  }),
];

function openUpgrades(control: GatewayControl, skip: number, limit: number) {
  const found = [];
  let at = 0;
  for (const { upgrades } of control.jobs()) {
    for (const upgrade of upgrades) {
      if (isOver(upgrade.state) || at++ < skip) continue;
      found.push(upgrade);
      if (found.length === limit) return found;
    }
  }
  return found;
}

/** Beside what its text says: how the device and the image are called here. */
function certificateView(certificate: Certificate, control: GatewayControl) {
  const { image, device } = certificate;
  const called = control.images().find(({ sha256 }) => sha256 === image)?.name;
  const known = control.devices().find(({ id }) => id === device);
  return {
    gateway: control.health().gateway,
    ...certificate,
    ...(called === undefined ? {} : { imageName: called }),
    ...(known?.eui64 === undefined ? {} : { eui64: known.eui64 }),
    ...(known?.deviceModel === undefined ? {} : { deviceModel: known.deviceModel }),
    text: certificateText(certificate),
  };
}
