/** A placement again from its memory: in another thread, in another process, of a file. */
import { invalid } from '../kernel/options.ts';
import { openAnchor } from './anchor.ts';
import { type Block, openBlock } from './block.ts';
import { createJump } from './jump.ts';
import { openMaglev } from './maglev.ts';
import { createModulo } from './modulo.ts';
import type { Node } from './node.ts';
import type { Placement } from './placement.ts';
import { createRendezvous } from './rendezvous.ts';
import { openRing } from './ring.ts';

/** What is checked again where it is used. */
const nodesIn = ({ description }: Block): readonly Node[] => description.nodes as readonly Node[];

const openers: Readonly<Record<string, (block: Block) => Placement>> = {
  ring: openRing,
  maglev: openMaglev,
  anchor: openAnchor,
  rendezvous: (block) => createRendezvous(nodesIn(block)),
  jump: (block) => createJump(nodesIn(block)),
  modulo: (block) => createModulo(nodesIn(block)),
};

/**
 * The placement whose `memory` this is. Memory that is shared stays so, and nothing in it is copied; bytes (of a file) are copied.
 * Refused, with what is wrong, if it was damaged, cut or never a placement.
 *
 * @example
 * const ring = createRing(['a', 'b', 'c'], { shared: true });
 * console.log(openPlacement(ring.memory).fingerprint() === ring.fingerprint()); // true
 */
export function openPlacement(memory: ArrayBufferLike | Uint8Array): Placement {
  const given = memory instanceof Uint8Array ? new Uint8Array(memory).buffer : memory;
  if (!(given instanceof ArrayBuffer || given instanceof SharedArrayBuffer)) {
    throw invalid('This is not the memory of a placement: expected a buffer or bytes.');
  }
  const block = openBlock(given);
  const { algorithm } = block.description;
  if (typeof algorithm === 'string' && Object.hasOwn(openers, algorithm)) return openers[algorithm]!(block);
  throw invalid(`There is no algorithm “${algorithm}”; there are ${Object.keys(openers).join(', ')}.`);
}
