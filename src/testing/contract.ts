/**
 * A contract: the clauses that every implementation of a concept keeps, as cases that any test runner can run.
 *
 * An implementation that breaks a clause on purpose says so with a reason. Then the clause must fail: a deviation that is
 * none is an error too, so a declaration cannot outlive what it excuses.
 */
import { AssertionError } from 'node:assert/strict';

export interface ContractCase {
  /** For the runner to show: subject, clause and, if it deviates, why. */
  readonly name: string;
  /** Rejects with an `AssertionError` if the clause is broken. */
  readonly run: () => Promise<void>;
}

/** What each clause checks, by its name. */
export type Clauses = Readonly<Record<string, () => void | Promise<void>>>;

/** By the name of a clause: why this implementation breaks it. */
export type Deviations = Readonly<Record<string, string>>;

/** The clauses as cases; a RangeError for a deviation from what is no clause. */
export function contractCases(subject: string, clauses: Clauses, deviations: Deviations = {}): ContractCase[] {
  const stray = Object.keys(deviations).find((name) => !Object.hasOwn(clauses, name));
  if (stray !== undefined) {
    throw new RangeError(
      `There is no clause “${stray}” to deviate from; expected one of: ${Object.keys(clauses).join(', ')}.`,
    );
  }
  return Object.entries(clauses).map(([name, check]) => {
    const reason = deviations[name];
    return reason === undefined
      ? { name: `${subject}: ${name}`, run: async () => check() }
      : { name: `${subject}: deviates from “${name}”: ${reason}`, run: () => mustFail(name, check) };
  });
}

async function mustFail(name: string, check: () => void | Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof AssertionError) return;
    throw error;
  }
  throw new AssertionError({ message: `“${name}” is kept after all: take the deviation away` });
}
