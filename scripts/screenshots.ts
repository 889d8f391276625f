/** The pictures of the README, from a real run: what a person sees who upgrades a PPMID. See scripts/screenshots. */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { CHROMIUM, signIn, TestBrowser } from '../test/support/browser.ts';
import { PageSite, TOKENS } from '../test/support/page-site.ts';
import { FIRMWARE, QUICK_CLIENT } from '../test/support/rigs.ts';
import { buildWeb } from './web/build.ts';

const IMAGES = resolve(import.meta.dirname, '../docs/images');
/** A radio that takes its time: the transfer is to be seen. */
const LINK_DELAY_MS = 8;

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
  devices: 3,
  hubs: [{ id: 'hub-1' }],
  otaClient: QUICK_CLIENT,
  linkDelayMs: LINK_DELAY_MS,
});
try {
  await site.serve();
  const page = await browser.open(site.address);
  await signIn(page, TOKENS.operator);
  for (const device of ['ppmid-1', 'ppmid-2', 'ppmid-3', 'hub-1']) {
    const row = page.getByRole('row', { name: device });
    await row.getByRole('button', { name: 'Read version' }).click();
    await row.getByText(/^read \d+ s ago$/).waitFor();
  }
  await take(page, 'devices');
  await page.getByRole('link', { name: 'Images' }).click();
  await page.getByLabel('Image file').setInputFiles(FIRMWARE.new);
  await page.getByText('is in the store, all').waitFor();
  await page.getByRole('link', { name: 'Install' }).click();
  await page.getByRole('checkbox', { name: 'ppmid-1', exact: true }).check();
  await page.getByText('1 of 1 devices may have it').waitFor();
  await page.locator('#review-head').evaluate(TO_THE_TOP);
  await take(page, 'review');
  await page.getByRole('button', { name: 'Upgrade ppmid-1' }).click();
  await page.getByRole('figure').first().waitFor({ timeout: 60_000 });
  await page.waitForTimeout(9_000);
  await take(page, 'transfer');
  const phone = await browser.open(page.url(), { size: 'phone', dark: true });
  await signIn(phone, TOKENS.operator);
  await phone.locator('#state-head').waitFor();
  await phone.locator('h1').evaluate(TO_THE_TOP);
  await take(phone, 'phone');
  await page.getByRole('link', { name: 'Certificate' }).click({ timeout: 240_000 });
  await page.getByRole('heading', { name: 'Certificate of a firmware upgrade' }).waitFor();
  await take(page, 'certificate');
} finally {
  await browser.close();
  await site.remove();
}
process.exit(0);

async function take(page: Page, name: string): Promise<void> {
  const path = join(IMAGES, `${name}.png`);
  await page.screenshot({ path, animations: 'disabled' });
  console.log(path);
}
