/** `spillway explain`: what would happen to a request, asked of a config file or of a running gateway. */
import { CellStore, compileSnapshot, formatMistakes, loadConfig } from '../gateway/config/index.ts';
import { explain, type Explanation, type ExplainRequest } from '../gateway/l7/explain.ts';
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { addressFrom } from '../kernel/ip-address.ts';
import { nearest } from '../kernel/nearest.ts';
import { adminOptions, adminRefusal, adminTarget, askAdmin, type AdminTarget } from './admin-client.ts';
import { type Arguments, type Command, UsageError } from './command.ts';
import { chooseConfig } from './config-file.ts';
import { exitCodes } from './exit-codes.ts';
import { explanationLines } from './explain-text.ts';
import { printable } from './terminal.ts';

export const explainCommand: Command = {
  spec: {
    usage: "explain 'METHOD URL' [-H FIELD]… [--client IP] [--file FILE | --admin ADDRESS]",
    description: [
      'Shows the route that wins, each route that loses and why, each endpoint and whether it may be picked, or ' +
        'what the request would be refused for. Nothing is sent to any endpoint. Asked of a file, health is ' +
        'unknown; asked of a running gateway with --admin, it is what the gateway knows now.',
      'Exit code 0: it would reach an endpoint; 1: the gateway would refuse it.',
      'A token for --admin is read from --token-file or SPILLWAY_ADMIN_TOKEN.',
    ],
    options: {
      header: {
        type: 'string',
        short: 'H',
        multiple: true,
        value: "'NAME: VALUE'",
        summary: 'A header field; may be given again.',
      },
      listener: {
        type: 'string',
        short: 'l',
        value: 'NAME',
        summary: 'The listener it arrives on. Default: the one that fits the URL.',
      },
      client: {
        type: 'string',
        short: 'c',
        value: 'ADDRESS',
        summary: 'The address it comes from. Default: 127.0.0.1.',
      },
      file: {
        type: 'string',
        short: 'f',
        value: 'FILE',
        summary: 'The config to ask. Default: the one in this folder.',
      },
      ...adminOptions,
      admin: {
        ...adminOptions.admin,
        summary: 'Ask the gateway running with this admin address: HOST:PORT or unix:PATH.',
      },
      json: { type: 'boolean', summary: 'Print the answer as JSON.' },
    },
    positionalsMax: 2,
    examples: [
      "spillway explain 'GET https://shop.example/api/x' -H 'X-A: b'",
      'spillway explain https://shop.example/ --admin 127.0.0.1:9900',
    ],
  },

  async run(args, { out, clock, environment }) {
    const request = readRequest(args);
    const address = args.text('admin');
    const file = args.text('file');
    if (address !== null && file !== null) throw new UsageError('--file and --admin are two places to ask; give one');
    let explanation: Explanation;
    let source: string;
    if (address === null) {
      const chosen = chooseConfig(file);
      explanation = await askFile(chosen, request, clock);
      source = chosen;
    } else {
      explanation = await askGateway(adminTarget(args, environment), request);
      source = `the gateway on ${address}`;
    }
    if (args.flag('json')) out.line(JSON.stringify(explanation, null, 2));
    else for (const line of explanationLines(explanation, source, out.paint)) out.prose(line);
    return explanation.refusal === null ? exitCodes.ok : exitCodes.no;
  },
};

/** `'GET https://…'` as one argument or two, or a URL alone. */
function readRequest(args: Arguments): ExplainRequest {
  const words = args.positionals.flatMap((text) => text.trim().split(/ +/));
  if (words.length === 1 && words[0] !== '') words.unshift('GET');
  const [method = '', url = ''] = words;
  if (words.length !== 2) {
    throw new UsageError(`a method and a URL were expected, such as 'GET https://shop.example/api/x'`);
  }
  const headers = args.texts('header').map((text): readonly [string, string] => {
    const colon = text.indexOf(':');
    if (colon < 1) throw new UsageError(`--header ${JSON.stringify(text)} is no field; expected 'Name: value'`);
    return [text.slice(0, colon), text.slice(colon + 1).trim()];
  });
  const listener = args.text('listener');
  const client = args.text('client');
  if (client !== null && addressFrom(client) === null) {
    throw new UsageError(`--client ${JSON.stringify(client)} is no address; expected one such as 203.0.113.7`);
  }
  return { method, url, headers, ...(listener === null ? {} : { listener }), ...(client === null ? {} : { client }) };
}

async function askFile(file: string, request: ExplainRequest, clock: Clock): Promise<Explanation> {
  const { config, mistakes } = await loadConfig(file, { clock });
  if (config === null) {
    throw new SpillwayError('CONFIG_INVALID', `the config has mistakes:\n${printableLines(formatMistakes(mistakes))}`);
  }
  const options = { version: 1, cells: new CellStore(1), ticketSecret: new Uint8Array(32), pseudonym: 'spillway' };
  const snapshot = compileSnapshot(config, options);
  const names = snapshot.listeners.map(({ id }) => id);
  if (request.listener !== undefined && !names.includes(request.listener)) {
    const guess = nearest(request.listener, names);
    const hint = guess === null ? `; there are ${names.join(', ')}` : `. Did you mean ${guess}?`;
    throw new UsageError(`there is no listener ${JSON.stringify(request.listener)}${hint}`);
  }
  return explain(snapshot, request, null);
}

async function askGateway(target: AdminTarget, request: ExplainRequest): Promise<Explanation> {
  const answer = await askAdmin(target, '/api/explain', request);
  if (answer.status === 200 && isExplanation(answer.body)) return answer.body;
  throw adminRefusal(target, answer);
}

/** Enough to tell an explanation from the answer of whatever else listens there. */
function isExplanation(body: unknown): body is Explanation {
  const { request, routes, notes } = (body ?? {}) as Partial<Explanation>;
  return typeof request?.path === 'string' && Array.isArray(routes) && Array.isArray(notes);
}

function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
