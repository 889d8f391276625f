/** The certificate of an upgrade, to be printed: what was done, and a code by which the log proves it. */
import { useAnswer, usePage } from '../page.ts';
import { QrCode } from '../parts/qr-code.tsx';
import { Fact, Trouble } from '../parts/trouble.tsx';
import { hrefOf } from '../route.ts';

export function CertificateView({ job, device }: { job: string; device: string }) {
  const { state } = usePage();
  const key = `${job}/${device} ${state.upgrades.get(`${job}/${device}`)?.state}`;
  const { answer, trouble } = useAnswer('showCertificate', { path: { job, device } }, key);
  if (!answer) {
    return (
      <>
        <h1>Certificate</h1>
        <Trouble error={trouble} />
        {trouble && <a href={hrefOf('jobs', [job, device])}>Back to the job</a>}
      </>
    );
  }
  return (
    <article class="certificate">
      <h1>Certificate of a firmware upgrade</h1>
      <dl class="facts">
        <Fact name="Device" value={answer.device} />
        {answer.eui64 !== undefined && <Fact name="EUI-64" value={<code>{answer.eui64}</code>} />}
        {answer.deviceModel !== undefined && (
          <Fact name="Device Model" value={answer.deviceModel} />
        )}
        <Fact name="Ran before" value={<code>{answer.ran ?? 'not said by the device'}</code>} />
        <Fact name="Runs now, read back" value={<code>{answer.runs}</code>} />
        <Fact
          name="Image"
          value={
            <>
              {answer.imageName} <code class="hash">{answer.image}</code>
            </>
          }
        />
        {answer.listed !== undefined && (
          <Fact name="Hash that lists know" value={<code class="hash">{answer.listed}</code>} />
        )}
        <Fact name="Central Products List" value={answer.entries ?? 'no row was needed'} />
        <Fact name="Asked for by" value={answer.by} />
        <Fact name="Approved by" value={answer.approvedBy ?? 'nobody had to'} />
        <Fact name="Read back at" value={answer.done} />
        <Fact name="Gateway" value={answer.gateway} />
        <Fact name="Record of the audit log" value={<code class="hash">{answer.record}</code>} />
      </dl>
      <div class="proof">
        <QrCode text={answer.text} label="The text of this certificate as a QR code" />
        <div>
          <p>
            Whoever has the gateway's log verifies this certificate by the text in the code (
            <a href="/manual/field/the-certificate">how</a>):
          </p>
          <pre>
            <code>uplift audit check --log LOG --certificate TEXT</code>
          </pre>
          <p class="text">
            <code>{answer.text}</code>
          </p>
        </div>
      </div>
      <p class="actions no-print">
        <button type="button" class="primary" onClick={() => print()}>
          Print
        </button>
        <a class="button" href={hrefOf('jobs', [job, device])}>
          Back to the job
        </a>
      </p>
    </article>
  );
}
