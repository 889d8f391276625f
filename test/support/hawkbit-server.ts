/**
 * An independent server of hawkBit's Direct Device Integration API, version 1, for one target: written from
 * its documentation and the behaviour of its controller, and strict where hawkBit is lenient. It answers in
 * memory, so that a test may have its own clock, and over HTTP where a real client asks.
 */
import { createHash } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  method: string;
  /** With its query. */
  path: string;
  headers?: Readonly<Record<string, string | string[] | undefined>>;
  body?: Uint8Array;
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

export type ActionStatus = 'waiting' | 'running' | 'canceling' | 'finished' | 'error' | 'canceled';

export interface Feedback {
  execution: string;
  finished: string;
  code?: number;
  details: string[];
  progress?: { cnt: number; of: number };
}

export interface TestAction {
  id: number;
  status: ActionStatus;
  download: 'skip' | 'attempt' | 'forced';
  update: 'skip' | 'attempt' | 'forced';
  maintenanceWindow?: 'available' | 'unavailable';
  isDownloadOnly?: boolean;
  artifacts: { filename: string; content: Uint8Array }[];
  feedback: Feedback[];
  cancelFeedback: Feedback[];
  confirmations: { confirmation: string; code?: number; details: string[] }[];
}

const EXECUTIONS = [
  ...['closed', 'proceeding', 'canceled', 'scheduled', 'rejected'],
  ...['resumed', 'downloaded', 'download'],
];
const ACTIVE: readonly ActionStatus[] = ['waiting', 'running', 'canceling'];
const OK = { status: 200, headers: {}, body: new Uint8Array(0) };

export class HawkbitTestServer {
  readonly tenant = 'DEFAULT';
  readonly controller: string;
  readonly authorization: string | undefined;
  sleep = '00:05:00';
  /** As links begin; a proxy may make them begin otherwise. */
  origin = 'http://hawkbit.test';
  wantsAttributes = true;
  attributes: Record<string, string> | undefined;
  readonly actions: TestAction[] = [];
  /** What was asked, `GET deploymentBase/1`, and what was answered. */
  readonly asked: string[] = [];
  /** Complaints about what no strict server takes. */
  readonly faults: string[] = [];
  /** In place of an answer. */
  intercept: ((asked: Asked) => Partial<Answered> | undefined) | undefined;
  /** Bytes after which a download is cut off, once each. */
  cuts: number[] = [];
  private server: http.Server | undefined;

  constructor(controller = 'gateway-1', authorization?: string) {
    this.controller = controller;
    this.authorization = authorization;
  }

  assign(
    artifacts: Record<string, Uint8Array>,
    more: Partial<Omit<TestAction, 'artifacts'>> = {},
  ): TestAction {
    const action: TestAction = {
      ...{ id: this.actions.length + 1, status: 'running', download: 'forced', update: 'forced' },
      artifacts: Object.entries(artifacts).map(([filename, content]) => ({ filename, content })),
      ...{ feedback: [], cancelFeedback: [], confirmations: [], ...more },
    };
    this.actions.push(action);
    return action;
  }

  /** One that is active; the server offers no other meanwhile. */
  get active(): TestAction | undefined {
    return this.actions.find(({ status }) => ACTIVE.includes(status));
  }

  handle(asked: Asked): Answered {
    const { pathname, search } = new URL(asked.path, this.origin);
    const root = `/${this.tenant}/controller/v1/${this.controller}`;
    const name = pathname.startsWith(root) ? pathname.slice(root.length + 1) || 'base' : pathname;
    const made = this.intercept?.(asked);
    const answer = made ? { ...OK, ...made } : this.answer(asked, name, search);
    this.asked.push(`${asked.method} ${name} ${answer.status}`);
    return answer;
  }

  private answer({ method, headers = {}, body }: Asked, name: string, search: string): Answered {
    if (this.authorization !== undefined && headers['authorization'] !== this.authorization) {
      return { ...OK, status: 401 };
    }
    const [kind = '', number, tail] = name.split('/');
    if (method === 'GET' && name === 'base') return json(this.base());
    if (method === 'PUT' && name === 'configData') return this.putAttributes(body);
    if (kind === 'download') return this.download(name, headers);
    const action = this.actions.find(({ id }) => `${id}` === number);
    if (!action) return { ...OK, status: 404 };
    if (method === 'GET' && tail === undefined) return this.show(kind, action, search);
    if (method !== 'POST' || tail !== 'feedback') return { ...OK, status: 405 };
    if (kind === 'confirmationBase') return this.takeConfirmation(action, body);
    const feedback = this.feedbackIn(body);
    if (!feedback) return { ...OK, status: 400 };
    if (kind === 'deploymentBase') return this.takeFeedback(action, feedback);
    return kind === 'cancelAction'
      ? this.takeCancelFeedback(action, feedback)
      : { ...OK, status: 404 };
  }

  private base(): unknown {
    const link = (name: string) => ({
      href: `${this.origin}/${this.tenant}/controller/v1/${this.controller}/${name}`,
    });
    const { active } = this;
    const query = active ? `?c=${this.etagOf(active)}` : '';
    return {
      config: { polling: { sleep: this.sleep } },
      _links: {
        ...(this.wantsAttributes ? { configData: link('configData') } : {}),
        ...(active?.status === 'running'
          ? { deploymentBase: link(`deploymentBase/${active.id}${query}`) }
          : {}),
        ...(active?.status === 'canceling'
          ? { cancelAction: link(`cancelAction/${active.id}`) }
          : {}),
        ...(active?.status === 'waiting'
          ? { confirmationBase: link(`confirmationBase/${active.id}${query}`) }
          : {}),
      },
    };
  }

  /** It changes with the kind of action and with its window. */
  private etagOf({ id, download, update, maintenanceWindow }: TestAction): number {
    const digest = createHash('sha256').update(`${id}${download}${update}${maintenanceWindow}`);
    return digest.digest().readInt32BE(0);
  }

  private show(kind: string, action: TestAction, search: string): Answered {
    const { id, status } = action;
    if (kind === 'cancelAction' && status === 'canceling') {
      return json({ id: `${id}`, cancelAction: { stopId: `${id}` } });
    }
    if (!/^(\?c=-?[0-9]+)?$/.test(search)) this.faults.push(`the query ${search}`);
    if (kind === 'deploymentBase' && status === 'running') {
      return json({ id: `${id}`, deployment: this.deploymentOf(action) });
    }
    if (kind === 'confirmationBase' && status === 'waiting') {
      return json({ id: `${id}`, confirmation: this.deploymentOf(action) });
    }
    return { ...OK, status: 404 };
  }

  private deploymentOf(action: TestAction): unknown {
    const { id, download, update, maintenanceWindow, artifacts } = action;
    const described = artifacts.map(({ filename, content }, index) => {
      const hash = (name: string) => createHash(name).update(content).digest('hex');
      const root = `${this.origin}/${this.tenant}/controller/v1/${this.controller}`;
      const href = `${root}/download/${id}/${index}/${encodeURIComponent(filename)}`;
      return {
        filename,
        hashes: { sha1: hash('sha1'), md5: hash('md5'), sha256: hash('sha256') },
        size: content.length,
        _links: { 'download-http': { href }, 'md5sum-http': { href: `${href}.MD5SUM` } },
      };
    });
    return {
      ...{ download, update },
      ...(maintenanceWindow ? { maintenanceWindow } : {}),
      chunks: [{ part: 'bApp', version: '1', name: 'campaign', artifacts: described }],
    };
  }

  /** Byte ranges of RFC 9110, 14: one, from an offset on. */
  private download(name: string, headers: NonNullable<Asked['headers']>): Answered {
    const [, id, index] = name.split('/');
    const action = this.actions.find((one) => `${one.id}` === id);
    const content = action?.artifacts[Number(index)]?.content;
    if (!action || !content || !ACTIVE.includes(action.status)) return { ...OK, status: 404 };
    const etag = `"${createHash('sha1').update(content).digest('hex')}"`;
    const given = { etag, 'accept-ranges': 'bytes' };
    const [, from] = /^bytes=([0-9]+)-$/.exec(`${headers['range'] ?? ''}`) ?? [];
    const condition = headers['if-range'];
    if (from === undefined || (condition !== undefined && condition !== etag)) {
      return { status: 200, headers: given, body: content };
    }
    if (Number(from) >= content.length) return { ...OK, status: 416 };
    const range = `bytes ${from}-${content.length - 1}/${content.length}`;
    const body = content.subarray(Number(from));
    return { status: 206, headers: { ...given, 'content-range': range }, body };
  }

  private putAttributes(body: Uint8Array | undefined): Answered {
    const { mode = 'merge', data } = (jsonIn(body) ?? {}) as { mode?: string; data?: unknown };
    const entries = typeof data === 'object' && data !== null ? Object.entries(data) : [];
    const isGood =
      ['merge', 'replace', 'remove'].includes(mode) &&
      entries.length > 0 &&
      entries.length <= 100 &&
      entries.every(([key, value]) => {
        return typeof value === 'string' && value.length <= 128 && key.length <= 128;
      });
    if (!isGood) {
      this.faults.push('attributes that are none');
      return { ...OK, status: 400 };
    }
    const before = mode === 'merge' ? this.attributes : {};
    this.attributes = { ...before, ...(data as Record<string, string>) };
    this.wantsAttributes = false;
    return OK;
  }

  private takeConfirmation(action: TestAction, body: Uint8Array | undefined): Answered {
    const given = (jsonIn(body) ?? {}) as TestAction['confirmations'][number];
    const { confirmation, code, details = [] } = given;
    const isGood =
      ['confirmed', 'denied'].includes(confirmation) &&
      (code === undefined || Number.isInteger(code)) &&
      areDetails(details);
    if (!isGood) {
      this.faults.push('a confirmation that is none');
      return { ...OK, status: 400 };
    }
    if (!ACTIVE.includes(action.status)) return { ...OK, status: 410 };
    if (action.status !== 'waiting') return { ...OK, status: 404 };
    action.confirmations.push({ confirmation, details, ...(code === undefined ? {} : { code }) });
    // What is denied goes on waiting, and is offered again.
    if (confirmation === 'confirmed') action.status = 'running';
    return OK;
  }

  private takeFeedback(action: TestAction, feedback: Feedback): Answered {
    if (action.status === 'waiting') return { ...OK, status: 404 };
    if (!ACTIVE.includes(action.status)) return { ...OK, status: 410 };
    action.feedback.push(feedback);
    const { execution, finished } = feedback;
    if (execution === 'closed') action.status = finished === 'failure' ? 'error' : 'finished';
    if (execution === 'downloaded' && action.isDownloadOnly) action.status = 'finished';
    return OK;
  }

  private takeCancelFeedback(action: TestAction, feedback: Feedback): Answered {
    action.cancelFeedback.push(feedback);
    const { execution, finished } = feedback;
    if (action.status !== 'canceling') return OK;
    if (execution === 'rejected') action.status = 'running';
    if (execution === 'closed') action.status = finished === 'failure' ? 'error' : 'canceled';
    return OK;
  }

  private feedbackIn(body: Uint8Array | undefined): Feedback | undefined {
    // biome-ignore lint/suspicious/noExplicitAny: whatever a client sends
    const given = jsonIn(body) as any;
    const { execution, result, code, details = [] } = given?.status ?? {};
    const { finished, progress } = result ?? {};
    const isGood =
      EXECUTIONS.includes(execution) &&
      ['success', 'failure', 'none'].includes(finished) &&
      (code === undefined || Number.isInteger(code)) &&
      (progress === undefined ||
        (Number.isInteger(progress.cnt) && Number.isInteger(progress.of))) &&
      (given.timestamp === undefined || Number.isInteger(given.timestamp)) &&
      areDetails(details);
    if (!isGood) {
      this.faults.push(`feedback that is none: ${JSON.stringify(given)}`);
      return undefined;
    }
    return {
      ...{ execution, finished, details },
      ...(code === undefined ? {} : { code }),
      ...(progress === undefined ? {} : { progress }),
    };
  }

  // ---- over HTTP --------------------------------------------------------------------------------------

  /** On a port of this machine, which links then lead to. */
  async listen(): Promise<URL> {
    const server = http.createServer(async (request, response) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of request) pieces.push(piece as Uint8Array);
      const { method = '', url = '', headers } = request;
      const body = Uint8Array.from(Buffer.concat(pieces));
      const answer = this.handle({ method, path: url, headers, body });
      const cut =
        url.includes('/download/') && answer.body.length > 0 ? this.cuts.shift() : undefined;
      const length = { 'content-length': `${answer.body.length}` };
      response.writeHead(answer.status, { ...answer.headers, ...length });
      if (cut === undefined) response.end(answer.body);
      else response.write(answer.body.subarray(0, cut), () => response.destroy());
    });
    this.server = server;
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return new URL(this.origin);
  }

  async close(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise((done) => this.server?.close(done));
  }
}

/** Longer ones are cut into entries of 512 characters there. */
function areDetails(details: unknown): boolean {
  return Array.isArray(details) && details.every((one) => typeof one === 'string');
}

function json(document: unknown): Answered {
  const headers = { 'content-type': 'application/hal+json' };
  return { status: 200, headers, body: Uint8Array.from(Buffer.from(JSON.stringify(document))) };
}

function jsonIn(body: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(Buffer.from(body ?? []).toString());
  } catch {
    return undefined;
  }
}
