/**
 * The DCC User Interface of a gateway: the Service Requests that were taken, and what waits for each Service
 * User. Where the gateway has no Service Users there is nothing of all this.
 */
import type { DuisControl, GatewayControl } from '../gateway/control.ts';
import { ControlError } from './gateway-problems.ts';
import { type GatewayRoute, JSON_BYTES_MAX, route, UNWELL } from './gateway-route.ts';
import * as schemas from './schemas.ts';

export const duisRoutes: GatewayRoute[] = [
  route({
    operation: 'listServiceRequests',
    method: 'GET',
    path: '/duis/requests',
    role: 'viewer',
    summary: 'Service Requests that were taken, in the order in which they were.',
    answers: { 200: schemas.serviceRequestsAnswer },
    refuses: ['not-found'],
    handle: (_call, { control }) => ({
      status: 200,
      body: { requests: duisOf(control).requests() },
    }),
  }),
  route({
    operation: 'showOutbox',
    method: 'GET',
    path: '/duis/outbox',
    role: 'viewer',
    summary: 'What waits for each Service User, why, and what was put aside.',
    answers: { 200: schemas.outboxAnswer },
    refuses: ['not-found'],
    handle: (_call, { control }) => ({ status: 200, body: { users: duisOf(control).outbox() } }),
  }),
  route({
    operation: 'showMessage',
    method: 'GET',
    path: '/duis/outbox/{message}',
    role: 'viewer',
    summary: 'The document of a message, signed as it is delivered.',
    params: schemas.inMessage,
    answers: { 200: 'application/xml' },
    refuses: ['not-found', 'message-unknown'],
    handle({ params: { message } }, { control }) {
      const body = new TextDecoder().decode(duisOf(control).message(message));
      return { status: 200, body, headers: { 'content-type': 'application/xml; charset=utf-8' } };
    },
  }),
  route({
    operation: 'releaseMessage',
    method: 'POST',
    path: '/duis/outbox/{message}/release',
    role: 'operator',
    summary: 'Tries a message again that was put aside.',
    params: schemas.inMessage,
    body: { kind: 'json', schema: schemas.nothing, bytesMax: JSON_BYTES_MAX },
    answers: { 204: null },
    refuses: ['not-found', 'message-not-parked', ...UNWELL],
    handle({ params: { message }, by }, { control }) {
      duisOf(control).release(message, by);
      return { status: 204 };
    },
  }),
  route({
    operation: 'discardMessage',
    method: 'POST',
    path: '/duis/outbox/{message}/discard',
    role: 'operator',
    summary: 'Gives a message up that was put aside; its user is never told.',
    params: schemas.inMessage,
    body: { kind: 'json', schema: schemas.discard, bytesMax: JSON_BYTES_MAX },
    answers: { 204: null },
    refuses: ['not-found', 'message-not-parked', ...UNWELL],
    handle({ params: { message }, body: { reason }, by }, { control }) {
      duisOf(control).discard(message, by, reason);
      return { status: 204 };
    },
  }),
];

function duisOf({ duis }: GatewayControl): DuisControl {
  if (duis) return duis;
  throw new ControlError('not-found', {
    expected: 'a gateway with Service Users',
    actual: 'one without',
    next: 'configure the section `duis` and start it anew',
  });
}
