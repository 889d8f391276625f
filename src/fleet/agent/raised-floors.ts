/**
 * The version floors in force: those of the configuration, and what campaigns raised since. One document on
 * disk, replaced whole, which admission reads as it reads any other.
 */
import { existsSync } from 'node:fs';
import type { CampaignTarget } from '../../campaign/manifest.ts';
import { writeDurably } from '../../gateway/durable-file.ts';
import { loadVersionFloors } from '../../gateway/trust-documents.ts';
import { NO_FLOORS, raiseFloor, type VersionFloors } from '../../trust/rollback.ts';

export class RaisedFloors {
  private readonly path: string;
  private readonly changed: (path: string) => void;
  private floors: VersionFloors;

  /**
   * @param configured the path of the document that the configuration names
   * @param changed called with the document that counts from now on, where it is not the configured one
   * @throws UpliftError
   */
  constructor(path: string, configured: string | undefined, changed: (path: string) => void) {
    this.path = path;
    this.changed = changed;
    const told = configured === undefined ? NO_FLOORS : loadVersionFloors(configured);
    const kept = existsSync(path) ? loadVersionFloors(path) : NO_FLOORS;
    this.floors = kept.floors.reduce(
      (floors, { floor, ...hardware }) => raised(floors, hardware, floor),
      told,
    );
    if (kept.floors.length > 0) this.write();
  }

  get current(): VersionFloors {
    return this.floors;
  }

  /** In force when it returns. */
  raise(targets: readonly CampaignTarget[]): void {
    const before = this.floors;
    for (const target of targets)
      if (target.floor !== undefined) this.floors = raised(this.floors, target, target.floor);
    if (this.floors !== before) this.write();
  }

  private write(): void {
    writeDurably(this.path, `${JSON.stringify(this.floors)}\n`, 0o640);
    this.changed(this.path);
  }
}

/** A floor that cannot be is none: manifests hold theirs below their image's version. */
function raised(
  floors: VersionFloors,
  hardware: Parameters<typeof raiseFloor>[1],
  floor: number,
): VersionFloors {
  const result = raiseFloor(floors, hardware, floor);
  return result.ok ? result.floors : floors;
}
