/** The API of a gateway as an OpenAPI document. */
import { type AnyRoute, describeApi, refusalsOf as refusals } from './describe.ts';
import { GATEWAY_PROBLEMS } from './gateway-problems.ts';
import { API_ROOT, ROUTES } from './routes.ts';

export function openApiOf(version: string): Record<string, unknown> {
  return describeApi({
    title: 'Uplift',
    summary: 'Firmware upgrades of smart-metering devices: jobs, images, lists, records.',
    version,
    root: API_ROOT,
    routes: ROUTES,
    problems: GATEWAY_PROBLEMS,
    security: ['token', 'certificate'],
  });
}

/** Statuses that a route may refuse with, and the codes behind them. */
export function refusalsOf(route: AnyRoute): Map<number, string[]> {
  return refusals(route, GATEWAY_PROBLEMS);
}
