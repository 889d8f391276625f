/**
 * The page as its users have it: a real browser on a real gateway over virtual devices, with the real driver
 * and real serial lines between them, on a desk and on a phone.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import jsqr from 'jsqr';
import type { Page } from 'playwright-core';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildWeb } from '../../scripts/web/build.ts';
import { encodeManifest } from '../../src/campaign/manifest.ts';
import type { CampaignView } from '../../src/fleet/coordinator/control.ts';
import { loadImage } from '../../src/gateway/image-library.ts';
import { ANN, BOB, changed, signedBy } from '../campaign/campaigns.ts';
import { Opened } from '../fleet/doors/opened.ts';
import { mayBrowse, SIZES, type Size, signIn, TestBrowser } from '../support/browser.ts';
import { counts } from '../support/memory-coordinator.ts';
import { PageSite, TOKENS } from '../support/page-site.ts';
import { FIRMWARE, OLD_VERSION, QUICK_CLIENT, runCli, type TestRig } from '../support/rigs.ts';
import { signedWaiver, waiverAnchors } from '../support/waivers.ts';

const test = suite('page');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Slow enough to be cut in the middle, quick enough to be waited for. */
const HUB_BAUD = 230_400;
/** WCAG asks for 24 px; these are for gloves. */
const TARGET_PX = 44;

let site: PageSite;
let browser: TestBrowser;
/** Whatever is asked for has to be of one of these. */
const origins: string[] = [];

async function begin(): Promise<void> {
  await buildWeb();
  // First: it would be handed down the lines of the rig, and hold them open when they are cut.
  browser = await TestBrowser.start();
  site = await PageSite.make(
    {
      devices: 2,
      hubs: [
        { id: 'hub-desktop', baudRate: HUB_BAUD },
        { id: 'hub-phone', baudRate: HUB_BAUD },
        { id: 'hub-lost', virtual: { smp: { startsInRecovery: true } } },
      ],
      otaClient: QUICK_CLIENT,
    },
    leaveToGoBack,
  );
  await site.serve();
  origins.push(site.address);
}

/** The first PPMID alone may go back to the old image, which is below the floor. */
function leaveToGoBack({ folder, rig }: TestRig): Record<string, unknown> {
  const write = (name: string, content: unknown) => {
    writeFileSync(join(folder, name), JSON.stringify(content));
    return name;
  };
  const [manufacturer, model, hardwareVersion, hardwareRevision] = ['121D', '0084', '01', '00'];
  const hardware = { manufacturer, model, hardwareVersion, hardwareRevision };
  const image = loadImage(FIRMWARE.old, { profile: 'gb-ppmid' }).facts;
  if (!image.ok) throw new Error(image.message);
  const devices = [rig.ppmids[0]!.eui64];
  const waived = { devices, hardware, imageVersion: OLD_VERSION, imageSha256: image.sendSha256 };
  cpSync(FIRMWARE.trust, join(folder, 'trust'), { recursive: true });
  const document = JSON.parse(readFileSync(join(FIRMWARE.trust, 'anchors.json'), 'utf8'));
  document.anchors.push(...waiverAnchors());
  write('trust/anchors.json', document);
  return {
    trustAnchors: 'trust',
    floors: write('floors.json', {
      version: 1,
      floors: [{ ...hardware, floor: OLD_VERSION + 1 }],
    }),
    waiver: write('waiver.json', signedWaiver(waived, Date.now())),
  };
}

async function goTo(page: Page, name: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name }).click();
}

async function upload(page: Page, path: string): Promise<void> {
  await goTo(page, 'Images');
  await page.getByLabel('Image file').setInputFiles(path);
  await page.getByText('is in the store, all').waitFor();
}

async function pick(page: Page, device: string, image: string): Promise<void> {
  await goTo(page, 'New upgrade');
  await page.getByRole('checkbox', { name: device, exact: true }).check();
  await page.getByRole('radio', { name: image }).check();
}

const sizes = Object.keys(SIZES) as Size[];

for (const [at, size] of sizes.entries()) {
  test(`pick, refuse, upgrade, on a ${size}`, async () => {
    const page = await browser.open(site.address, { size });
    await signIn(page, TOKENS.operator);
    const device = `ppmid-${at + 1}`;
    await upload(page, FIRMWARE.wrongHardware);
    await upload(page, FIRMWARE.new);
    await pick(page, device, '121D-0084-02000000-test-wrong-hardware.zigbee');
    await page.getByText('0 of 1 devices may have it').waitFor();
    const refused = page.locator('details.review');
    await refused.getByText('Refuses').first().waitFor();
    await refused.getByRole('link', { name: 'device.hardware-range' }).waitFor();
    await refused.getByText('What to do').first().waitFor();
    assert.is(await page.getByRole('button', { name: `Upgrade ${device}` }).count(), 0);
    await page.getByRole('radio', { name: '121D-0084-02000000-test.zigbee' }).check();
    await page.getByRole('button', { name: `Ask ${device}` }).click();
    await page.getByText(/^01000000, read/).waitFor();
    await page.getByText('1 of 1 devices may have it').waitFor();
    await page.getByText(/; it takes .+ to .+\./).waitFor();
    await page.getByText('TEST-0003 (line 5)').waitFor();
    await page.getByRole('button', { name: `Upgrade ${device}` }).click();
    await page.getByRole('heading', { name: /^Job j\d+/ }).waitFor();
    const heading = page.locator('#state-head');
    await heading.getByText(/Done|Failed|Refused/).waitFor({ timeout: 120_000 });
    assert.is((await heading.textContent())?.trim(), 'Done, version read back');
    await page.getByText('says that it runs 02000000').waitFor();
    await page.getByRole('link', { name: 'Certificate' }).waitFor();
    await page.context().close();
  });

  test(`cut the link, resume, certificate, on a ${size}`, async () => {
    const page = await browser.open(site.address, { size });
    await signIn(page, TOKENS.operator);
    const device = `hub-${size}`;
    await upload(page, FIRMWARE.hubNew);
    await pick(page, device, 'hub-2.0.0-test.mcuboot.bin');
    await page.getByRole('button', { name: `Ask ${device}` }).click();
    await page.getByText(/^1\.0\.0.*, read/).waitFor();
    await page.locator('details.review summary').getByText('Allowed', { exact: true }).waitFor();
    await page.getByRole('button', { name: `Upgrade ${device}` }).click();
    await page.locator('#state-head').getByText('Sending').waitFor();
    await page.getByText(/^\d+ s ago, at most 20 s$/).waitFor();
    await page
      .getByText(/KiB\/s$/)
      .first()
      .waitFor();
    await site.rig.hub(device).unplug();
    await page.getByText(`The link to ${device} is gone.`).waitFor();
    await site.rig.hub(device).plug();
    await page
      .locator('#state-head')
      .getByText('Done, version read back')
      .waitFor({ timeout: 120_000 });
    await page.getByRole('link', { name: 'Certificate' }).click();
    await page.getByRole('heading', { name: 'Certificate of a firmware upgrade' }).waitFor();
    const text = await readQrCode(page);
    assert.match(
      text,
      new RegExp(`^UPLIFT-CERTIFICATE-1;job=j\\d+;device=${device};ran=1\\.0\\.0`),
    );
    assert.is(text, await page.locator('.proof .text').textContent());
    const log = join(site.rig.folder, `${size}.jsonl`);
    const exported = await runCli(['audit', 'export', '--journal', site.journal, '--out', log]);
    assert.is(exported.code, 0, exported.stderr);
    const check = (said: string) =>
      runCli(['audit', 'check', '--log', log, '--certificate', said, '--json']);
    const good = await check(text);
    assert.is(good.code, 0, good.stderr + good.stdout);
    const forged = await check(text.replace('ran=1.0.0', 'ran=1.9.0'));
    assert.is(forged.code, 3, forged.stdout);
    assert.match(forged.stdout, /certificate-differs/);
    await page.emulateMedia({ media: 'print' });
    assert.is(await page.getByRole('button', { name: 'Print' }).isVisible(), false);
    assert.is(await page.locator('header').isVisible(), false);
    assert.is(await page.locator('.qr').isVisible(), true);
    await page.context().close();
  });
}

test('a hub of which only the bootloader answers is recognised, and recovery is offered', async () => {
  const page = await browser.open(site.address);
  await signIn(page, TOKENS.operator);
  await page.getByRole('button', { name: 'Read version of hub-lost' }).click();
  const notice = page.getByRole('region', { name: 'Recovery of hub-lost' });
  await notice.getByText('has no application that answers').waitFor();
  await notice.getByRole('link', { name: 'Recover hub-lost' }).click();
  assert.ok(await page.getByRole('checkbox', { name: 'hub-lost', exact: true }).isChecked());
  await page.getByRole('radio', { name: 'hub-2.0.0-test.mcuboot.bin' }).check();
  await page.getByRole('button', { name: 'Upgrade hub-lost' }).click();
  await isDone(page);
  await page.context().close();
});

test('going back on a waiver wants a second person, who is not its author and is named', async () => {
  const page = await browser.open(site.address);
  await signIn(page, TOKENS.operator);
  await upload(page, FIRMWARE.old);
  await pick(page, 'ppmid-2', '121D-0084-01000000-test.zigbee');
  await page.getByText('0 of 1 devices may have it').waitFor();
  await page.getByRole('checkbox', { name: 'ppmid-2', exact: true }).uncheck();
  await page.getByRole('checkbox', { name: 'ppmid-1', exact: true }).check();
  await page.getByText('1 of 1 devices may have it').waitFor();
  await page.getByText('A second person has to approve it').waitFor();
  await page.getByText(/without its waiver \S+ would refuse it/).waitFor();
  assert.ok(await page.getByRole('checkbox', { name: 'Somebody else approves it' }).isDisabled());
  await page.getByRole('button', { name: 'Upgrade ppmid-1' }).click();
  await approve(page, 'operator-1');
  await page.getByText('says that it runs 01000000').waitFor();
  await page.getByRole('link', { name: 'Certificate' }).click();
  assert.match(await readQrCode(page), /;by=api:operator-1;approvedBy=api:approver-1;/);
  await page.context().close();
});

/** Of the job that is shown, which its author cannot, until it is done. */
async function approve(page: Page, author: string): Promise<void> {
  await page.getByText(`Somebody other than api:${author} has to approve this job`).waitFor();
  assert.is(await page.getByRole('button', { name: 'Approve' }).count(), 0);
  const second = await browser.open(page.url());
  await signIn(second, TOKENS.approver);
  await second.getByRole('button', { name: 'Approve' }).click();
  await isDone(page);
  await page.getByText('api:approver-1', { exact: true }).waitFor();
  await second.context().close();
}

async function isDone(page: Page): Promise<void> {
  const done = page.locator('#state-head').getByText('Done, version read back');
  await done.waitFor({ timeout: 120_000 });
}

test('a role that may only look is shown nothing else', async () => {
  const page = await browser.open(site.address);
  await signIn(page, TOKENS.viewer);
  await page.getByText('ppmid-1', { exact: true }).waitFor();
  assert.is(await page.getByRole('button', { name: /^Read version/ }).count(), 0);
  assert.is(await page.getByRole('link', { name: 'New upgrade' }).count(), 0);
  await goTo(page, 'Images');
  await page.getByRole('heading', { name: 'Images' }).waitFor();
  assert.is(await page.getByLabel('Image file').count(), 0);
  await page.context().close();
});

test('a token that is none is refused with a code, and what to do stands in the manual', async () => {
  const page = await browser.open(site.address);
  await page.getByLabel('Token').fill('nobody');
  await page.getByRole('button', { name: 'Sign in' }).click();
  const link = page.getByRole('alert').getByRole('link', { name: 'unauthenticated' });
  await link.click();
  await page.waitForURL('**/manual/reference/error-codes#unauthenticated');
  await page.locator('tr#unauthenticated').getByText('Who asks has to say who they are.').waitFor();
  await page.context().close();
});

test('when the gateway is killed and comes back the page says so, and recovers by itself', async () => {
  const page = await browser.open(site.address);
  await signIn(page, TOKENS.operator);
  await page.getByText('ppmid-1', { exact: true }).waitFor();
  await site.kill();
  await page.getByText(/Gateway not reachable since \d\d:\d\d:\d\d/).waitFor();
  assert.is(await page.locator('main.lost').count(), 1, 'what is shown is marked as of before');
  await site.serve();
  await page.locator('main.live').waitFor();
  assert.is(await page.getByText('Gateway not reachable').count(), 0);
  await page.getByRole('button', { name: 'Read version of ppmid-1' }).click();
  await page
    .getByText(/^read \d s ago$/)
    .first()
    .waitFor();
  await page.context().close();
});

/** Each with a text that is there when it is whole. */
const PLACES = {
  devices: 'ppmid-1',
  jobs: 'Done, version read back',
  new: '2. Image',
  images: 'hub-2.0.0-test.mcuboot.bin',
  campaigns: 'belongs to no fleet',
  rules: 'device.hardware-range',
  audit: 'was asked by',
  health: 'port hub-phone',
};

for (const size of sizes) {
  test(`axe finds nothing in any view, on a ${size}, light, dark, in bright sun`, async () => {
    const page = await browser.open(site.address, { size });
    await assertAccessible(page, 'sign in');
    await signIn(page, TOKENS.operator);
    const { jobs } = await jobsOf();
    const job = jobs.find(({ states }) => states['done'] === 1)!;
    const device = await deviceOf(job.id);
    const views = {
      ...PLACES,
      [`jobs/${job.id}`]: 'asked for it',
      [`certificate/${job.id}/${device}`]: 'UPLIFT-CERTIFICATE-1',
    };
    for (const [place, shows] of Object.entries(views)) {
      await page.goto(`${site.address}#/${place}`);
      await page.locator('main').getByText(shows).first().waitFor();
      await assertAccessible(page, place);
      await assertFits(page, place);
      await assertTargets(page, place);
      await page.emulateMedia({ colorScheme: 'dark' });
      await assertContrast(page, `${place}, dark`, 'color-contrast');
      await page.emulateMedia({ contrast: 'more' });
      await assertContrast(page, `${place}, dark, more contrast`, 'color-contrast-enhanced');
      await page.emulateMedia({ colorScheme: 'light', contrast: 'no-preference' });
      await page.getByLabel('Brightness').selectOption('sun');
      await page.locator('html[data-theme=sun]').waitFor();
      await assertContrast(page, `${place}, bright sun`, 'color-contrast-enhanced');
      await assertFits(page, `${place}, bright sun`);
      await page.getByLabel('Brightness').selectOption('system');
      await page.locator('html[data-theme=system]').waitFor();
    }
    await page.goto(`${site.address}manual/reference/error-codes`);
    await assertAccessible(page, 'manual');
    await page.context().close();
  });
}

test('everything can be reached and done by keyboard', async () => {
  const page = await browser.open(site.address);
  await page.keyboard.press('Tab');
  await page.keyboard.type(TOKENS.operator);
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Views' }).waitFor();
  const names: string[] = [];
  for (let n = 0; n < 40; n++) {
    await page.keyboard.press('Tab');
    names.push(await page.evaluate('document.activeElement.textContent.trim().slice(0, 40)'));
    const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
    assert.is.not(outline, 'none', `the focus is seen on ${names.at(-1)}`);
    if (names.includes('Upgrade')) break;
  }
  for (const name of [
    'Skip to the content',
    'Sign out',
    'Devices',
    'Health',
    'Read version',
    'Upgrade',
  ])
    assert.ok(names.includes(name), `${name} in ${names.join(', ')}`);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'New upgrade' }).waitFor();
  assert.is(
    await page.evaluate('document.activeElement.id'),
    'content',
    'a new view has the focus',
  );
  await page.context().close();
});

test("an operator sees the rings of a coordinator's campaign fill, and what failed in them", async () => {
  const fleet = await Opened.start();
  const { desk, doors } = fleet;
  const { host, port } = doors.address!;
  const address = `http://${host}:${port}/`;
  origins.push(address);
  const [first, ...later] = changed({}).rings;
  for (const { sha256 } of changed({}).images) desk.blobs.set(sha256, new Uint8Array());
  const campaign = await desk.submit(signedBy(encodeManifest(changed({})), ANN, BOB), 'olive');
  const tell = (told: Partial<CampaignView>) =>
    desk.held.set(campaign.id, { ...desk.held.get(campaign.id)!, ...told });
  const rings = (succeeded: number, failed: number): CampaignView['rings'] =>
    campaign.rings.map((ring, at) => {
      const pending = 4 - succeeded - failed;
      const open = { counts: counts({ succeeded, failed, pending }), isOpen: true };
      const why = failed > 0 ? { failed: { reverted: failed } } : {};
      const closed = { counts: counts({ pending: 4 }), isOpen: false };
      return { ...ring, size: 4, ...(at === 0 ? { ...open, ...why } : closed) };
    });
  try {
    const page = await browser.open(address, { size: 'phone' });
    await signIn(page, TOKENS.viewer);
    await page.getByText('Ready, waits for its start').waitFor();
    tell({ state: 'running', startedBy: 'oscar', rings: rings(1, 0) });
    await page.getByText('1 of 4 succeeded, 0 begun, 3 to come, 0 failed').waitFor();
    tell({ rings: rings(3, 1) });
    await page.getByText('3 of 4 succeeded, 0 begun, 0 to come, 1 failed (1 reverted)').waitFor();
    const ring = page
      .getByRole('listitem')
      .filter({ hasText: `Ring ${first!.name}` })
      .last();
    await ring.getByText('Over, not all succeeded').waitFor();
    await ring.getByText('75 %').waitFor();
    assert.is(await page.getByText('Not open yet').count(), later.length);
    await assertAccessible(page, 'campaigns of a coordinator');
    await assertFits(page, 'campaigns of a coordinator');
    await assertTargets(page, 'campaigns of a coordinator');
    await fleet.doors.close(0);
    await page.getByText(/Not reachable since/).waitFor();
    await page.context().close();
  } finally {
    await fleet.stop();
  }
});

test('nothing was asked for outside of their origins, and the pages complained of nothing', () => {
  const foreign = browser.requests.filter(
    (address) => !origins.some((origin) => address.startsWith(origin)),
  );
  assert.equal(foreign, []);
  assert.ok(browser.requests.length > 100);
  assert.equal(browser.complaints, []);
});

test.after(async () => {
  await browser?.close();
  await site?.remove();
});

interface JobList {
  jobs: { id: string; states: Record<string, number> }[];
}

async function api<T>(path: string): Promise<T> {
  const headers = { authorization: `Bearer ${TOKENS.viewer}` };
  const response = await fetch(`${site.address}api/v1${path}`, { headers });
  return (await response.json()) as T;
}

function jobsOf(): Promise<JobList> {
  return api('/jobs');
}

async function deviceOf(job: string): Promise<string> {
  const { upgrades } = await api<{ upgrades: { device: string }[] }>(`/jobs/${job}`);
  return upgrades[0]!.device;
}

interface AxeResult {
  violations: { id: string; nodes: { html: string; failureSummary: string }[] }[];
}

async function assertAccessible(page: Page, place: string): Promise<void> {
  await page.evaluate(AXE);
  await assertNothingFound(page, place, '{}');
}

/** Of a place that was found accessible, in other colours. */
function assertContrast(page: Page, place: string, rule: string): Promise<void> {
  return assertNothingFound(page, place, `{ runOnly: ['${rule}'] }`);
}

async function assertNothingFound(page: Page, place: string, options: string): Promise<void> {
  const { violations } = await page.evaluate<AxeResult>(`axe.run(${options})`);
  const said = violations.map(
    ({ id, nodes }) => `${id}: ${nodes[0]!.html} ${nodes[0]!.failureSummary}`,
  );
  assert.equal(said, [], place);
}

/** Nothing has to be scrolled sideways. */
async function assertFits(page: Page, place: string): Promise<void> {
  const spare = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  assert.ok(spare <= 0, `${place} is ${spare} px too wide`);
}

/** Whatever is pressed; links in the middle of a sentence are text. */
async function assertTargets(page: Page, place: string): Promise<void> {
  const small = await page.evaluate<string[]>(`
    [...document.querySelectorAll('button, .button, select, summary, nav a, .pick, input:not(.pick input)')]
      .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
      .filter(([, box]) => box.width > 1 && (box.height < ${TARGET_PX} || box.width < ${TARGET_PX}))
      .map(([text, box]) => text + ' ' + box.width + ' x ' + box.height)
  `);
  assert.equal(small, [], place);
}

/** As a camera would: from the pixels of the screen. */
async function readQrCode(page: Page): Promise<string> {
  await page.locator('.qr').scrollIntoViewIfNeeded();
  const png = await page.locator('.qr').screenshot();
  const { width, height, pixels } = await page.evaluate<{
    width: number;
    height: number;
    pixels: number[];
  }>(`
    (async () => {
      const bytes = Uint8Array.from(atob('${png.toString('base64')}'), (one) => one.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const { width, height } = bitmap;
      const context = new OffscreenCanvas(width, height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return { width, height, pixels: [...context.getImageData(0, 0, width, height).data] };
    })()
  `);
  const decode = jsqr as unknown as typeof jsqr.default;
  return decode(new Uint8ClampedArray(pixels), width, height)?.data ?? 'no code was read';
}

if (mayBrowse('the page in a browser')) {
  test.before(begin);
  test.run();
} else {
  const skipped = suite('page without a browser');
  skipped.skip('a browser', () => {});
  skipped.run();
}
