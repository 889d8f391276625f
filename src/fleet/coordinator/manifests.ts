/** Manifests as they are kept: parsed once a process, as those of a digest never change. */
import { type Manifest, parseManifest } from '../../campaign/manifest.ts';
import { assert } from '../../errors.ts';
import type { Db } from './database.ts';

/** A manifest that names 50,000 devices has a megabyte. */
const KEPT_MAX = 64;

export class Manifests {
  private readonly kept = new Map<string, Manifest>();

  /** Of bytes that were verified before they were stored. */
  of({ digest, manifest }: { digest: string; manifest: Uint8Array }): Manifest {
    const known = this.kept.get(digest);
    if (known) return known;
    const parsed = parseManifest(manifest);
    assert(parsed.ok, `manifest ${digest} is stored as it was parsed`);
    if (this.kept.size >= KEPT_MAX) this.kept.delete(this.kept.keys().next().value!);
    this.kept.set(digest, parsed.manifest);
    return parsed.manifest;
  }

  /** By digest; of those that there are. */
  async byDigest(db: Db, digests: readonly string[]): Promise<ReadonlyMap<string, Manifest>> {
    const missing = digests.filter((digest) => !this.kept.has(digest));
    if (missing.length > 0) {
      const rows = await db
        .selectFrom('campaigns')
        .select(['digest', 'manifest'])
        .where('digest', 'in', missing)
        .execute();
      for (const row of rows) this.of(row);
    }
    return new Map(
      digests.flatMap((digest) => {
        const manifest = this.kept.get(digest);
        return manifest ? [[digest, manifest] as const] : [];
      }),
    );
  }
}
