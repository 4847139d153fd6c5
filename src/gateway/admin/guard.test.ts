/** Who may call the admin API: by role and token, from which page and under which name; and what the audit log says of who did. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bearer, closed, metrics, open, request, secret, serve } from '../../../test/admin-server.ts';
import { apiPaths } from './api.ts';
import type { AuditEntry } from './audit-entry.ts';

/** [what, token needed, request line, fields, status] */
const table: readonly (readonly [string, boolean, string, readonly string[], number])[] = [
  ['reads from loopback need nothing', false, 'GET /api/state', [], 200],
  ['HEAD is a read', false, 'HEAD /api/state', [], 200],
  ['the name localhost is fine', false, 'GET /api/state', ['Host: localhost:9900'], 200],
  ['an IPv6 address is fine', false, 'GET /api/state', ['Host: [::1]:9900'], 200],
  ['RFC 9110 §7.2, DNS rebinding: the name of a page is not', false, 'GET /api/state', ['Host: evil.example'], 421],
  ['RFC 9110 §7.2, DNS rebinding: not even for probes', false, 'GET /readyz', ['Host: evil.example:9900'], 421],
  ['a name that only begins like an address', false, 'GET /api/state', ['Host: 127.0.0.1.evil.example'], 421],
  ['RFC 9110 §7.2: two Host fields', false, 'GET /api/state', ['Host: localhost', 'Host: evil.example'], 400],
  ['a Host field with user information', false, 'GET /api/state', ['Host: evil@localhost'], 400],
  ['an empty Host field', false, 'GET /api/state', ['Host:'], 400],
  ['CSRF: a write from a page elsewhere', false, 'POST /api/reload', ['Origin: https://evil.example'], 401],
  ['RFC 6454 §7, CSRF: with the token', false, 'POST /api/reload', [bearer, 'Origin: https://evil.example'], 403],
  ['RFC 6454 §7, CSRF: a write from a sandboxed page', false, 'POST /api/reload', [bearer, 'Origin: null'], 403],
  [
    'CSRF: another port of this machine is elsewhere',
    false,
    'POST /api/reload',
    [bearer, 'Origin: http://127.0.0.1:1'],
    403,
  ],
  [
    'CSRF: a browser that says so without an Origin',
    false,
    'POST /api/reload',
    [bearer, 'Sec-Fetch-Site: same-site'],
    403,
  ],
  ['a page elsewhere may not ask what would be', false, 'POST /api/explain', ['Origin: https://evil.example'], 403],
  ['a page elsewhere may not push', false, 'POST /v1/traces', ['Origin: https://evil.example'], 403],
  ['RFC 6454 §7: a page elsewhere may not read', false, 'GET /api/state', ['Origin: https://evil.example'], 403],
  [
    'nor by a script or an image',
    false,
    'GET /api/state',
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: no-cors'],
    403,
  ],
  ['nor from another port of this machine', false, 'GET /api/live', ['Sec-Fetch-Site: same-site'], 403],
  [
    'nor in a frame',
    false,
    'GET /metrics',
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: iframe'],
    403,
  ],
  [
    'a link elsewhere may be followed',
    false,
    'GET /api/state',
    ['Sec-Fetch-Site: cross-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'],
    200,
  ],
  ['our own page may read', false, 'GET /api/state', ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Mode: cors'], 200],
  ['an address that was typed', false, 'GET /api/state', ['Sec-Fetch-Site: none', 'Sec-Fetch-Mode: navigate'], 200],
  ['CSRF: also with the token', true, 'POST /api/reload', [bearer, 'Origin: https://evil.example'], 403],
  ['a write from our own page', false, 'POST /api/reload', [bearer, 'Sec-Fetch-Site: same-origin'], 200],
  ['a write from our own page without the token', false, 'POST /api/reload', ['Sec-Fetch-Site: same-origin'], 401],
  ['a write from a tool', false, 'POST /api/reload', [bearer], 200],
  ['a write by whoever is on this machine', false, 'POST /api/reload', [], 401],
  ['a write with a token that is not it', false, 'POST /api/reload', [`${bearer}x`], 401],
  ['a read with a token that is not it', false, 'GET /api/state', [`${bearer}x`], 200],
  ['a write by a read', false, 'GET /api/reload', [bearer], 405],
  ['a read by a write', false, 'POST /metrics', [], 405],
  ['CORS: a preflight gets nothing', false, 'OPTIONS /api/state', ['Origin: https://evil.example'], 405],
  ['other methods', false, 'DELETE /api/state', [], 405],
  ['a path there is not', false, 'GET /etc/passwd', [], 404],
  ['a path that is a property of every object', false, 'GET constructor', [], 400],
  ['another such', false, 'GET /__proto__', [], 404],
  ['RFC 6750 §3: a token is needed', true, 'GET /api/state', [], 401],
  ['a token is needed for metrics', true, 'GET /metrics', [], 401],
  ['a token is needed to learn which paths there are', true, 'GET /nowhere', [], 401],
  ['a wrong token', true, 'GET /api/state', ['Authorization: Bearer a-secret-of-some-lengthX'], 401],
  ['a token of another length', true, 'GET /api/state', ['Authorization: Bearer x'], 401],
  ['RFC 6750 §2: two tokens', true, 'GET /api/state', [bearer, bearer], 401],
  ['a token by another scheme', true, 'GET /api/state', [`Authorization: Basic ${secret}`], 401],
  ['RFC 6750 §5.3: a token in the query', true, `GET /api/state?token=${secret}`, [], 401],
  ['the token', true, 'GET /api/state', [bearer], 200],
  ['the scheme in any case', true, 'GET /api/state', [`authorization: bearer ${secret}`], 200],
  ['with a token any name may be used', true, 'GET /api/state', [bearer, 'Host: gateway.internal:9900'], 200],
  ['probes need no token', true, 'GET /livez', [], 200],
  ['probes need no token, readyz', true, 'GET /readyz', [], 200],
];

for (const [what, needsToken, line, fields, status] of table) {
  test(`${status} for ${line} ${fields.join(', ')}: ${what}`, async () => {
    const { port, audits, reloads } = await serve(needsToken ? closed : open);
    const answer = await request(port, line, fields);
    assert.equal(answer.status, status, answer.body);
    assert.doesNotMatch(answer.head, /access-control/i);
    if (status >= 400 && answer.head.includes('problem+json')) assert.equal(JSON.parse(answer.body).status, status);
    assert.doesNotMatch(answer.body, new RegExp(secret));
    const wrote = line === 'POST /api/reload';
    assert.equal(reloads(), wrote && status === 200 ? 1 : 0);
    if (wrote) assert.equal(audits.length, 1);
  });
}

const [readSecret, scrapeSecret] = ['a-secret-for-reading', 'a-secret-for-scraping'];

/** [path, statuses with no token, with metricsToken, with readToken, with token] */
const roles: readonly (readonly [string, number, number, number, number])[] = [
  ['GET /readyz', 200, 200, 200, 200],
  ['GET /metrics', 401, 200, 200, 200],
  ['GET /api/state', 401, 403, 200, 200],
  ['POST /api/explain', 401, 403, 400, 400],
  ['POST /api/reload', 401, 403, 403, 200],
  ['POST /api/rollback', 401, 403, 403, 200],
  ['POST /api/drain', 401, 403, 403, 400],
  ['POST /api/undrain', 401, 403, 403, 400],
  ['POST /api/apply', 401, 403, 403, 400],
  ['GET /nowhere', 401, 403, 404, 404],
];

test('whatever is not a read is a change, but for what only asks, and for telemetry', () => {
  const others = Object.entries(apiPaths).filter(([, { methods }]) =>
    methods.some((method) => !/^(GET|HEAD)$/.test(method)),
  );
  const free = others.filter(([, { role }]) => role !== 'write').map(([path]) => path);
  assert.deepEqual(free.toSorted(), ['/api/explain', '/api/live/{stream}', '/v1/logs', '/v1/metrics', '/v1/traces']);
});

test('RFC 6750 §3.1: a token gives a role, and a role what the lower ones may', async () => {
  const grants = [
    { role: 'write', token: secret },
    { role: 'read', token: readSecret },
    { role: 'metrics', token: scrapeSecret },
  ] as const;
  const { port, reloads } = await serve({ grants }, { metrics });
  for (const [line, ...expected] of roles) {
    const tokens = [null, scrapeSecret, readSecret, secret];
    const fields = tokens.map((token) => (token === null ? [] : [`Authorization: Bearer ${token}`]));
    const answers = await Promise.all(fields.map((each) => request(port, line, each)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      expected,
      line,
    );
  }
  assert.equal(reloads(), 1);
  assert.equal((await request(port, 'GET /api/state', ['Authorization: Bearer wrong'])).status, 401);
});

test('what no token opens is closed, also to a token; metrics may be open to all', async () => {
  const grants = [
    { role: 'read', token: readSecret },
    { role: 'metrics', token: null },
  ] as const;
  const { port, reloads } = await serve({ grants }, { metrics });
  assert.equal((await request(port, 'GET /metrics')).status, 200);
  assert.equal((await request(port, 'GET /api/state')).status, 401);
  assert.equal((await request(port, 'POST /api/reload')).status, 401);
  assert.equal((await request(port, 'POST /api/reload', [`Authorization: Bearer ${readSecret}`])).status, 403);
  assert.equal(reloads(), 0);
  // Loopback is what guards it: not to a page that was led here.
  assert.equal((await request(port, 'GET /metrics', ['Host: evil.example'])).status, 421);
});
test('an audit names by what and with which token, and holds none', async () => {
  const entries: AuditEntry[] = [];
  const audit = (entry: AuditEntry): void => void entries.push(entry);
  const made = await serve({}, { audit });
  const of = { grants: closed.grants, made: null };
  const named = await serve({ ...of, grants: [...closed.grants, { role: 'read', token: readSecret }] }, { audit });
  for (const [port, fields] of [
    [made.port, [bearer, 'User-Agent: spillway-cli/1.0.0']],
    [made.port, [bearer, 'Sec-Fetch-Site: same-origin']],
    [made.port, [`${bearer}x`]],
    [made.port, []],
    [named.port, [bearer]],
    [named.port, [`Authorization: Bearer ${readSecret}`]],
  ] as const)
    await request(port, 'POST /api/reload', fields);
  assert.deepEqual(
    entries.map(({ by }) => by),
    ['cli, made token', 'dashboard, made token', 'api, unknown token', 'api, no token', 'api, token', 'api, readToken'],
  );
  assert.doesNotMatch(JSON.stringify(entries), /a-secret/);
});
