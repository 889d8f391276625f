/**
 * The API held against its own OpenAPI document: requests made from its schemas, valid and not, are
 * answered with a documented status and a document that conforms, and never with a 500.
 */
import http from 'node:http';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openApiOf } from '../../src/api/openapi.ts';
import { DEVICES, IMAGE } from './fake-control.ts';
import { faults, mutated, type Schema, unkind, valid } from './json-schema.ts';
import { type Answered, ask, Served } from './served.ts';

const test = suite('the API against its own document');
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 25);

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

// As a reader gets it: through JSON.
const openApi = JSON.parse(JSON.stringify(openApiOf('1.0.0'))) as {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};
const resolve = (ref: string) => openApi.components.schemas[ref.split('/').at(-1)!]!;
let served: Served;
let agent: http.Agent;
let succeeded = 0;

test.before(async () => {
  served = await Served.start();
  agent = new http.Agent({ keepAlive: true });
});
test.after(async () => {
  agent.destroy();
  await served.stop();
});

/** Names of things that are there, so that not all is answered with 404. */
function present(name: string): fc.Arbitrary<unknown> {
  const { control } = served;
  const some = (values: Iterable<string>) => {
    const all = [...values];
    return all.length > 0 ? fc.constantFrom(...all) : fc.constant('none');
  };
  if (name === 'job') return some([...control.book.jobs].map(({ id }) => id));
  if (name === 'sha256') return some(control.stored.keys());
  if (name === 'upload') return some(control.uploads.keys());
  return fc.constantFrom('installations', 'image.readable', 'none');
}

/** A job that can be taken, now and then. */
const goodJob = fc.record({
  image: fc.constant(IMAGE),
  devices: fc.subarray([...DEVICES], { minLength: 1 }),
  activation: fc.constantFrom({ when: 'now' }, { when: 'held' }),
  priority: fc.integer({ min: 0, max: 8 }),
  deadlineMs: fc.constant(Date.now() + 1e9),
  supersede: fc.boolean(),
  needsApproval: fc.boolean(),
});

function requestOf(method: string, path: string, operation: Operation) {
  const { parameters = [], requestBody } = operation;
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const inPath = parameters.filter((one) => one.in === 'path');
  const inQuery = parameters.filter((one) => one.in === 'query');
  const inHeader = parameters.filter((one) => one.in === 'header');
  const [mediaType, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  const isJson = mediaType === 'application/json';
  const bodies: fc.Arbitrary<unknown>[] = isJson
    ? [valid(content!.schema), mutated(content!.schema), unkind]
    : [fc.uint8Array({ maxLength: 200 })];
  if (operation.operationId === 'createJob') bodies.push(goodJob, goodJob);
  return fc.record({
    path: fc
      .tuple(...inPath.map(({ name, schema }) => fc.oneof(present(name), valid(schema), unkind)))
      .map((values) =>
        inPath.reduce(
          (url, { name }, n) =>
            url.replace(`{${name}}`, encodeURIComponent(wellFormed(text(values[n])))),
          path,
        ),
      ),
    query: fc
      .record(
        Object.fromEntries(
          inQuery.map(({ name, schema }) => [name, fc.oneof(valid(schema), valid(schema), unkind)]),
        ),
        { requiredKeys: [] },
      )
      .map((values) =>
        new URLSearchParams(
          Object.entries(values).map(([name, value]): [string, string] => [
            name,
            wellFormed(text(value)),
          ]),
        ).toString(),
      ),
    headers: fc.record(
      Object.fromEntries(
        inHeader.map(({ name, schema }) => [
          name.toLowerCase(),
          fc.oneof(fc.constant('0'), valid(schema), fc.constantFrom('-1', 'x', '1e3')),
        ]),
      ),
    ) as fc.Arbitrary<Record<string, string>>,
    mediaType: fc.constantFrom(mediaType, mediaType, mediaType, 'text/plain'),
    body: requestBody ? fc.oneof(...bodies) : fc.constant(undefined),
    method: fc.constant(method.toUpperCase()),
  });
}

function wellFormed(text: string): string {
  return (text ?? '').toWellFormed().slice(0, 6_000);
}

function assertDocumented(operation: Operation, { status, headers, text, json }: Answered): void {
  const name = operation.operationId;
  assert.ok(status !== 500, `${name}: ${text}`);
  const response = operation.responses[status];
  assert.ok(response, `${name} answers ${status}, which is not documented: ${text}`);
  const type = (headers['content-type'] ?? '').split(';')[0]!;
  const content = response.content?.[type];
  assert.is(content === undefined, text === '', `${name} ${status} is of type ${type}`);
  if (!content || !/json/.test(type)) return;
  assert.equal(faults(content.schema, json, resolve), [], `${name} ${status} ${text}`);
}

for (const [path, operations] of Object.entries(openApi.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    if (operation.operationId === 'events') continue;
    test(`${operation.operationId}`, async () => {
      const place = { socketPath: served.path, agent };
      await fc.assert(
        fc.asyncProperty(requestOf(method, path, operation), async (made) => {
          const { query, mediaType, headers } = made;
          const answer = await ask(place, {
            method: made.method,
            path: query === '' ? made.path : `${made.path}?${query}`,
            body: bodyOf(made.body),
            headers: mediaType === undefined ? {} : { ...headers, 'content-type': mediaType },
          });
          // A name that is empty makes another route of it.
          const isOther = /\/\/|\/$/.test(made.path) && [404, 405].includes(answer.status);
          if (!isOther) assertDocumented(operation, answer);
          if (answer.status < 300) succeeded++;
        }),
        { numRuns: RUNS },
      );
    });
  }
}

test('the gateway works on, and much of what was asked was done', async () => {
  const { status } = await served.local({ path: '/api/v1/health' });
  assert.is(status, 200);
  assert.ok(succeeded > RUNS * 5, `${succeeded} were done`);
  assert.equal(
    served.log.filter(({ level }) => level === 'error'),
    [],
  );
});

function bodyOf(body: unknown): unknown {
  if (body === undefined || body instanceof Uint8Array) return body;
  return Buffer.from(JSON.stringify(body));
}

test.run();
