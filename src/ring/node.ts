/** What keys are placed on: nodes, and the one check of what a caller gives as nodes. */
import { SpillwayError } from '../kernel/errors.ts';

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

/** A refusal of options or nodes that mean nothing. */
export function optionsInvalid(message: string): SpillwayError {
  return new SpillwayError('OPTIONS_INVALID', message);
}

/** An integer option within its range. */
export function checkedInteger(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw optionsInvalid(`${name} is ${value}; expected an integer from ${min} to ${max}.`);
}

/** The nodes with their defaults, frozen and in the order given; a bare string is a name. */
export function checkedNodes(nodes: readonly (string | Node)[]): readonly CheckedNode[] {
  if (nodes.length > NODES_MAX) throw optionsInvalid(`${nodes.length} nodes; at most ${NODES_MAX} are possible.`);
  const names = new Set<string>();
  return Object.freeze(
    nodes.map((given, index) => {
      const { name, weight = 1, zone = '' } = typeof given === 'string' ? { name: given } : given;
      if (typeof name !== 'string' || name === '') throw optionsInvalid(`Node ${index} has no name.`);
      if (names.has(name)) throw optionsInvalid(`Two nodes are named “${name}”; a name identifies one node.`);
      if (weight !== 0 && !(weight >= WEIGHT_MIN && weight <= WEIGHT_MAX)) {
        throw optionsInvalid(
          `The weight of node “${name}” is ${weight}; expected 0, or a number from ${WEIGHT_MIN} to ${WEIGHT_MAX}.`,
        );
      }
      names.add(name);
      return Object.freeze({ name, weight, zone });
    }),
  );
}

/** Indexes in the order of the names' UTF-16 units: the same for everyone, whatever the order they were given in. */
export function byName(nodes: readonly CheckedNode[]): number[] {
  return [...nodes.keys()].sort((a, b) => (nodes[a]!.name < nodes[b]!.name ? -1 : 1));
}
