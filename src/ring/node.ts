/** What keys are placed on: nodes, and the one check of what a caller gives as nodes. */
import { inspect } from 'node:util';
import { checkKeys, invalid, textOfGiven } from '../kernel/options.ts';

export interface Node {
  /** Identifies the node for good: where its keys lie follows from the name alone. Not empty, no two alike. */
  readonly name: string;
  /**
   * Its share relative to the others: from 0.000001 to 1000000, or 0: it gets no keys. Absolute: changing one node's weight
   * moves no key between two others. @defaultValue 1
   */
  readonly weight?: number;
  /** What fails together with it: a rack, a data centre. Replicas go to different zones. @defaultValue '' */
  readonly zone?: string;
}

export type CheckedNode = Required<Node>;

/** Owners are stored in 16 bits. */
export const NODES_MAX = 65_536;
const WEIGHT_MIN = 1e-6;
const WEIGHT_MAX = 1e6;

/** The nodes with their defaults, frozen and in the order given; a bare string is a name. */
export function checkedNodes(nodes: readonly (string | Node)[]): readonly CheckedNode[] {
  if (!Array.isArray(nodes)) throw invalid('Nodes are a list; expected an array of names and nodes.');
  if (nodes.length > NODES_MAX) throw invalid(`${nodes.length} nodes; at most ${NODES_MAX} are possible.`);
  const names = new Set<string>();
  return Object.freeze(
    // Also over holes, which `map` would skip.
    Array.from(nodes, (given: string | Node, index) => {
      if (typeof given !== 'string') checkKeys(`Node ${index}`, given, ['name', 'weight', 'zone']);
      const { name, weight = 1, zone = '' } = typeof given === 'string' ? { name: given } : given;
      if (typeof name !== 'string' || name === '') throw invalid(`Node ${index} has no name.`);
      if (names.has(name)) throw invalid(`Two nodes are named “${name}”; a name identifies one node.`);
      // Half a surrogate pair has no UTF-8: two such names would be hashed alike.
      if (!name.isWellFormed())
        throw invalid(`The name of node ${index} is no text: half of a surrogate pair is in it.`);
      // A weight from somebody's JSON may be a text, and texts add up to another ring.
      const isWeight = typeof weight === 'number' && (weight === 0 || (weight >= WEIGHT_MIN && weight <= WEIGHT_MAX));
      if (!isWeight) {
        throw invalid(
          `The weight of node “${name}” is ${inspect(weight)}; expected 0, or a number from ${WEIGHT_MIN} to ${WEIGHT_MAX}.`,
        );
      }
      if (typeof zone !== 'string')
        throw invalid(`The zone of node “${name}” is ${textOfGiven(zone)}; expected a string.`);
      names.add(name);
      return Object.freeze({ name, weight, zone });
    }),
  );
}

/** Indexes in the order of the names' UTF-16 units: the same for everyone, whatever the order they were given in. */
export function byName(nodes: readonly CheckedNode[]): number[] {
  return [...nodes.keys()].sort((a, b) => (nodes[a]!.name < nodes[b]!.name ? -1 : 1));
}

/** The same of those that may have keys. */
export function weighingByName(nodes: readonly CheckedNode[]): number[] {
  return byName(nodes).filter((index) => nodes[index]!.weight > 0);
}
