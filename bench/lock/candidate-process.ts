/** A process that campaigns: it says when it leads, and resigns when it is asked to. */
import { createElections, type Term } from '../../src/elect/index.ts';
import { answerQuestions } from '../../test/faults/worker.ts';
import { type EngineName, engines } from './engines.ts';

const [name, address = '', ttl] = process.argv.slice(2);
const { store } = await engines[name as EngineName].open(address);
const elections = createElections(store);
let term: Term | null = null;

interface Question {
  readonly verb: 'campaign' | 'look' | 'resign';
}

await answerQuestions(async (question) => {
  const { verb } = question as Question;
  if (verb === 'campaign') term = await elections.campaign('seat', { ttl: Number(ttl) });
  else if (verb === 'resign') await term?.resign();
  // Whatever was asked before has been.
  else await store.read('seat', { signal: AbortSignal.timeout(10_000) });
});
process.exit();
