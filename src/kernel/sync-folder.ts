/** Brings the names in a folder to the disk: without it a power cut may take that of a new file back, or give a name its old file. */
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** `path`: of the file whose name it is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
