/** ns a path: whether it matches, and what its groups take. Run: `node src/gateway/routing/regex.bench.ts`. */
import { RegexCaptures } from './regex-captures.ts';
import { RegexMatcher } from './regex.ts';

const cases: readonly (readonly [what: string, regex: string, path: string])[] = [
  ['28 B, no choice', '^/v(?<version>[0-9]+)/users/(?<id>[0-9a-f]+)$', '/v12/users/0123456789abcdef'],
  ['200 B, no choice', '^/(?<shop>[^/]+)/(?<rest>.*)$', `/shop/${'path/'.repeat(39)}`],
  ['200 B, all choices', '^/(?<all>(a|aa|aaa)+)$', `/${'a'.repeat(199)}`],
];

for (const [what, regex, path] of cases) {
  const bytes = Buffer.from(path);
  const matcher = new RegexMatcher(regex);
  const captures = new RegexCaptures(regex);
  const test = time(() => matcher.test(bytes, 0, bytes.length));
  const capture = time(() => captures.match(bytes, 0, bytes.length));
  console.log(
    `${what.padEnd(20)} test ${test.toFixed(0).padStart(6)} ns, capture ${capture.toFixed(0).padStart(6)} ns`,
  );
}

/** The best of ten rounds, in ns a call. */
function time(run: () => boolean): number {
  const CALLS = 20_000;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 10; round++) {
    const startedMs = performance.now();
    for (let call = 0; call < CALLS; call++) if (!run()) throw new Error('it does not match');
    best = Math.min(best, ((performance.now() - startedMs) * 1e6) / CALLS);
  }
  return best;
}
