/**
 * What an agent knows beyond its process, each in a file that is replaced whole:
 *
 *     enrolled.json       by which certificate the coordinator knows the gateway
 *     desired.json        what it wanted last: a gateway that is started without a WAN goes on with it
 *     inventory-told.json what the coordinator was told of the devices, and when
 *     uploads.json        images that are being fetched: where in the store, and of which ETag
 *
 * All of it can be learnt again from the coordinator. So a file that is damaged is as good as none.
 */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text, whole, z } from '../../config/fields.ts';
import { syncFolder, writeDurably } from '../../gateway/durable-file.ts';
import { desired, enrolled, journalMark, sha256 } from '../wire.ts';

export class AgentRecords {
  readonly enrolled: Kept<typeof enrolled>;
  readonly desired: Kept<typeof desired>;
  readonly inventoryTold: Kept<typeof inventoryTold>;
  /** How far the coordinator has the journal, as it last said: what is sealed for a medium follows it. */
  readonly told: Kept<typeof journalMark>;
  readonly uploads: Kept<typeof uploads>;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.enrolled = new Kept(join(folder, 'enrolled.json'), enrolled);
    this.desired = new Kept(join(folder, 'desired.json'), desired);
    this.inventoryTold = new Kept(join(folder, 'inventory-told.json'), inventoryTold);
    this.told = new Kept(join(folder, 'told.json'), journalMark);
    this.uploads = new Kept(join(folder, 'uploads.json'), uploads);
  }
}

const inventoryTold = z.strictObject({ digest: sha256, atMs: whole(0, Number.MAX_SAFE_INTEGER) });
const upload = z.strictObject({ upload: text(1, 64), etag: text(1, 256).optional() });
const uploads = z.record(sha256, upload);
export type KeptUpload = z.infer<typeof upload>;
export type KeptUploads = Pick<Kept<typeof uploads>, 'value' | 'set'>;

/** One document; on disk when `set` returns. */
export class Kept<Schema extends z.ZodType> {
  private readonly path: string;
  private current: z.infer<Schema> | undefined;

  constructor(path: string, schema: Schema) {
    this.path = path;
    this.current = readKept(path, schema);
  }

  get value(): z.infer<Schema> | undefined {
    return this.current;
  }

  set(value: z.infer<Schema> | undefined): void {
    this.current = value;
    if (value !== undefined) {
      writeDurably(this.path, `${JSON.stringify(value)}\n`, 0o600);
      return;
    }
    rmSync(this.path, { force: true });
    syncFolder(dirname(this.path));
  }
}

function readKept<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): z.infer<Schema> | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}
