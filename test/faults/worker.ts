/** The side of a process under test: it answers what `WorkerProcess.ask` asks, and says what it likes. A line of JSON each way. */
import { createInterface } from 'node:readline';

export function say(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Answers until its stdin ends; questions are answered side by side. An error is told to who asked. */
export async function answerQuestions(answer: (question: unknown) => unknown): Promise<void> {
  for await (const line of createInterface(process.stdin)) {
    const { id, question } = JSON.parse(line) as { readonly id: number; readonly question: unknown };
    void (async () => answer(question))().then(
      (value) => say({ id, answer: value ?? null }),
      (error: unknown) => say({ id, error: error instanceof Error ? error.message : String(error) }),
    );
  }
}
