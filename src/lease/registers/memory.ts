/** A fenced register in the memory of this process: for tests, and beside `memoryLeases`. It grows with the number of keys. */
import { checkParts } from '../../kernel/options.ts';
import type { Fenced, FencedRegister } from '../fenced.ts';

class Memory implements FencedRegister {
  readonly #fenced = new Map<string, Fenced>();

  async read(key: string): Promise<Fenced | null> {
    return this.#fenced.get(key) ?? null;
  }

  async write(key: string, fenced: Fenced): Promise<boolean> {
    checkParts('What to write', fenced, '{ value, token }', ['value', 'token']);
    const { value, token } = fenced;
    const known = this.#fenced.get(key);
    if (known !== undefined && known.token > token) return false;
    this.#fenced.set(key, { value, token });
    return true;
  }
}

export function memoryRegister(): FencedRegister {
  return new Memory();
}
