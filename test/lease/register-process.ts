/** A process that writes to a fenced register, with tokens of its own, and says what was acknowledged. */
import { fileRegister, sqliteRegister } from '../../src/lease/index.ts';
import { answerQuestions, say } from '../faults/worker.ts';

export interface WriteQuestion {
  readonly kind: 'file' | 'sqlite';
  readonly path: string;
  readonly tokens: readonly number[];
}

await answerQuestions(async (question) => {
  const { kind, path, tokens } = question as WriteQuestion;
  const register = kind === 'file' ? fileRegister(path) : sqliteRegister(path);
  for (const token of tokens) {
    if (await register.write('a', { value: String(token), token: BigInt(token) })) say({ acknowledged: token });
  }
  return null;
});
