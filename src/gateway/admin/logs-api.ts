/** `GET /api/logs`: the last log lines of the services that push theirs, and of requests whose traces the gateway keeps. */
import { type LogLevel, levelNumbers } from '../../observe/log/levels.ts';
import type { AdminBackend } from './backend.ts';
import { type ApiAnswer, type ApiRequest, badRequest, json } from './answers.ts';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1000;
const TEXT_MAX = 256;
const names = ['traceId', 'correlationId', 'level', 'text', 'limit'];

export function answerLogs({ telemetry }: AdminBackend, { query }: ApiRequest): ApiAnswer {
  const unknown = [...query.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) {
    return badRequest(`There is no ${JSON.stringify(unknown)}; there are ${names.join(', ')}.`);
  }
  const [traceId, correlationId, level, text] = names.slice(0, 4).map((name) => query.get(name));
  const limit = Number(query.get('limit') ?? LIMIT_DEFAULT);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX)
    return badRequest(`limit must be from 1 to ${LIMIT_MAX}.`);
  if (level && !isLevel(level))
    return badRequest(`level must be one of ${Object.keys(levelNumbers).join(', ')}: it or graver.`);
  if (text && text.length > TEXT_MAX) return badRequest(`text must be at most ${TEXT_MAX} characters.`);
  const lines = telemetry.logs.find({
    ...(traceId && { traceId: traceId.toLowerCase() }),
    ...(correlationId && { correlationId }),
    ...(level && isLevel(level) && { level }),
    ...(text && { text }),
    limit,
  });
  return json(200, { lines });
}

function isLevel(text: string): text is LogLevel {
  return Object.hasOwn(levelNumbers, text);
}
