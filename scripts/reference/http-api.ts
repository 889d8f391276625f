/** docs/reference/api.md: the routes of a gateway and of a coordinator, from the tables that serve them. */
import { type AnyRoute, refusalsOf } from '../../src/api/describe.ts';
import { GATEWAY_PROBLEMS } from '../../src/api/gateway-problems.ts';
import type { Problems } from '../../src/api/problem.ts';
import { API_ROOT, ROUTES } from '../../src/api/routes.ts';
import { OPERATOR_ROOT } from '../../src/fleet/coordinator/doors.ts';
import {
  GATEWAY_DOOR_PROBLEMS,
  OPERATOR_PROBLEMS,
} from '../../src/fleet/coordinator/fleet-problems.ts';
import { GATEWAY_ROUTES } from '../../src/fleet/coordinator/gateway-routes.ts';
import { OPERATOR_ROUTES } from '../../src/fleet/coordinator/operator-routes.ts';
import { FLEET_ROOT } from '../../src/fleet/wire.ts';
import { code, page, table } from './markdown.ts';

interface Api {
  title: string;
  intro: string;
  root: string;
  routes: readonly AnyRoute[];
  problems: Problems;
}

const APIS: readonly Api[] = [
  {
    title: 'A gateway',
    intro:
      'Over its socket, or the port of `api.tcp`. `uplift api openapi` has it whole, with every schema.',
    root: API_ROOT,
    routes: ROUTES,
    problems: GATEWAY_PROBLEMS,
  },
  {
    title: 'A coordinator, for people',
    intro:
      'Over its socket, or the port of `api.tcp`. `uplift fleet openapi --of operators` has it whole.',
    root: OPERATOR_ROOT,
    routes: OPERATOR_ROUTES,
    problems: OPERATOR_PROBLEMS,
  },
  {
    title: 'A coordinator, for gateways',
    intro:
      'Over the port of `gateways.listen`, with the certificate that a gateway enrolled with. ' +
      '`uplift fleet openapi --of gateways` has it whole.',
    root: FLEET_ROOT,
    routes: GATEWAY_ROUTES,
    problems: GATEWAY_DOOR_PROBLEMS,
  },
];

export function apiPage(): string {
  return page(
    'The HTTP API',
    'Refusals are `application/problem+json`, with a `code` of [error-codes.md](error-codes.md). A role may do ' +
      'what the ones before it may: `viewer`, `operator`, `approver`, `admin`. ' +
      'Where somebody else approves, an `approver` does, and never who asked.',
    ...APIS.flatMap(({ title, intro, root, routes, problems }) => {
      const always = commonOf(routes, problems);
      return [
        `## ${title}`,
        `${intro} Every route may refuse with: ${shown(always)}.`,
        table(
          ['Route', 'Role', 'What it does', 'Answers', 'Refuses'],
          routes.map((route) => [
            code(`${route.method} ${root}${route.path}`),
            route.role ?? 'anybody',
            route.summary,
            answersOf(route),
            shown(
              codesOf(route, problems).filter(([name]) => !always.some(([one]) => one === name)),
            ),
          ]),
        ),
      ];
    }),
  );
}

function codesOf(route: AnyRoute, problems: Problems): [string, number][] {
  return [...refusalsOf(route, problems)].flatMap(([status, names]) =>
    names.map((name): [string, number] => [name, status]),
  );
}

function commonOf(routes: readonly AnyRoute[], problems: Problems): [string, number][] {
  const [first, ...rest] = routes.map((route) => codesOf(route, problems));
  return first!.filter(([name]) => rest.every((codes) => codes.some(([one]) => one === name)));
}

function answersOf({ answers }: AnyRoute): string {
  return Object.entries(answers)
    .map(([status, answer]) => {
      if (answer === null) return status;
      return `${status} ${typeof answer === 'string' ? code(answer) : 'JSON'}`;
    })
    .join(', ');
}

function shown(codes: readonly [string, number][]): string {
  return codes.map(([name, status]) => `\`${name}\` ${status}`).join(', ');
}
