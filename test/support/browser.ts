/** A real browser: Debian's Chromium, driven by playwright-core, with a log of all it asks for. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** `undefined`: there is none. */
export const CHROMIUM = process.env['UPLIFT_CHROMIUM'] ?? PLACES.find((path) => existsSync(path));

export const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 360, height: 740 },
} as const;

export type Size = keyof typeof SIZES;

/** Where a browser is missing: a failure on CI, and else said in a line. */
export function mayBrowse(what: string): boolean {
  if (CHROMIUM !== undefined) return true;
  if (process.env['CI'] === 'true') throw new Error(`${what}: no Chromium on this machine`);
  console.log(`SKIP ${what}: no Chromium here; scripts/setup-interop brings it`);
  return false;
}

export class TestBrowser {
  /** Everything that was asked for, by its address. */
  readonly requests: string[] = [];
  /** What the page complained of: errors, and what its own policy refused. */
  readonly complaints: string[] = [];
  private readonly browser: Browser;

  private constructor(browser: Browser) {
    this.browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    const browser = await chromium.launch({
      executablePath: CHROMIUM!,
      // As root, as on CI, its sandbox does not start.
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--enable-precise-memory-info'],
    });
    return new TestBrowser(browser);
  }

  async open(
    address: string,
    { size = 'desktop', dark = false }: { size?: Size; dark?: boolean } = {},
  ): Promise<Page> {
    const context: BrowserContext = await this.browser.newContext({
      viewport: SIZES[size],
      colorScheme: dark ? 'dark' : 'light',
      locale: 'en-GB',
      timezoneId: 'Europe/London',
      hasTouch: size === 'phone',
    });
    // Of a machine that does other work as well.
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      // What the server refuses, or does not answer, the browser says as well.
      const text = message.text();
      if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(text))
        this.complaints.push(text);
    });
    await page.goto(address);
    return page;
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}

export async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
}
