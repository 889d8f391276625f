/** The pictures of the README, from a real run: what a person sees who upgrades a PPMID. See scripts/screenshots. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { CHROMIUM, signIn, TestBrowser } from '../test/support/browser.ts';
import { PageSite, TOKENS } from '../test/support/page-site.ts';
import { FIRMWARE, QUICK_CLIENT } from '../test/support/rigs.ts';
import { buildWeb } from './web/build.ts';

const IMAGES = resolve(import.meta.dirname, '../docs/images');
const SIZE = { width: 1000, height: 760 };
/** A radio that takes its time: the transfer is to be seen. */
const LINK_DELAY_MS = 8;
const LOSS = 0.005;
const SHOWN_PERCENT = 61;

/** Within the page. */
const TO_THE_TOP = '(element) => element.scrollIntoView()';

if (CHROMIUM === undefined) {
  console.error('screenshots: expected Chromium, found none; scripts/setup-interop brings it');
  process.exit(2);
}

await buildWeb();
mkdirSync(IMAGES, { recursive: true });
const browser = await TestBrowser.start();
const site = await PageSite.make({
  devices: 2,
  otaClient: QUICK_CLIENT,
  linkDelayMs: LINK_DELAY_MS,
  linkFaults: { lossDown: LOSS, lossUp: LOSS },
});
try {
  await site.serve();
  const page = await browser.open(site.address);
  await page.setViewportSize(SIZE);
  await signIn(page, TOKENS.operator);
  await page.getByRole('link', { name: 'Images' }).click();
  await page.getByLabel('Image file').setInputFiles(FIRMWARE.new);
  await page.getByText('is in the store, all').waitFor();
  await page.getByRole('link', { name: 'Install' }).click();
  await page.getByRole('checkbox', { name: 'ppmid-1', exact: true }).check();
  await page.getByRole('button', { name: 'Ask ppmid-1' }).click();
  await page.getByText(/^01000000, read/).waitFor();
  await page.getByText(/^6 steps/).click();
  await page
    .locator('section', { has: page.locator('#review-head') })
    .last()
    .evaluate(TO_THE_TOP);
  await take(page, 'page-review');
  await page.getByRole('button', { name: 'Upgrade ppmid-1' }).click();
  await page.getByText(new RegExp(`^${SHOWN_PERCENT} %$`)).waitFor({ timeout: 240_000 });
  await take(page, 'page-transfer');
} finally {
  await browser.close();
  await site.remove();
}
process.exit(0);

/** Light and dark, as README asks for by the colours of whoever reads it. */
async function take(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const path = join(IMAGES, `${name}-${colorScheme}.png`);
    await page.screenshot({ path, animations: 'disabled' });
    console.log(path);
  }
}
