/**
 * The dashboard's files: the page at `/`, script and style under `/assets/`, named by a hash of what they hold. Made by `npm run
 * prepare` (scripts/dashboard.ts), read once when first asked for, kept with a compressed copy: about 0.3 MB.
 *
 * Anybody may fetch them, as a login page must be: they hold nothing of this gateway. What the page may do is said by its
 * Content-Security-Policy: nothing inline, nothing from elsewhere, in no frame.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { ApiAnswer } from './answers.ts';

interface Asset {
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly gzip: Buffer;
  readonly etag: string;
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  // Text from the wire cannot become markup, whatever a library of the page does with it.
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** Both in source and build. */
const folder = new URL(
  import.meta.url.endsWith('.ts') ? '../../../dist/dashboard/' : '../../dashboard/',
  import.meta.url,
);

export class Assets {
  readonly #folder: URL;
  #loaded: ReadonlyMap<string, Asset> | null = null;

  constructor(home: URL = folder) {
    this.#folder = home;
  }

  /** `name` is `index.html`, or what follows `/assets/`. */
  answer(name: string, headers: IncomingHttpHeaders): ApiAnswer {
    this.#loaded ??= readAssets(this.#folder);
    if (this.#loaded === null) {
      const detail =
        'The dashboard is not built: run “npm run prepare” in the folder of Spillway, and load this again.';
      return { kind: 'problem', problem: { status: 503, title: 'Not built', detail } };
    }
    const asset = this.#loaded.get(name);
    if (asset !== undefined) return assetAnswer(asset, name === 'index.html', headers);
    const detail = 'There is no such file of the dashboard: it was updated, load the page again.';
    return { kind: 'problem', problem: { status: 404, title: 'Not Found', detail } };
  }
}

function assetAnswer(
  { bytes, contentType, etag, gzip }: Asset,
  isPage: boolean,
  headers: IncomingHttpHeaders,
): ApiAnswer {
  const isKnown = headers['if-none-match']?.split(',').some((each) => each.trim() === etag) === true;
  const zip = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:,|$))/i.test(headers['accept-encoding'] ?? '');
  return {
    kind: 'answer',
    status: isKnown ? 304 : 200,
    contentType,
    body: isKnown ? '' : zip ? gzip : bytes,
    headers: {
      ETag: etag,
      Vary: 'Accept-Encoding',
      'Cache-Control': isPage ? 'no-cache' : 'public, max-age=31536000, immutable',
      ...(zip && !isKnown ? { 'Content-Encoding': 'gzip' } : {}),
      ...(isPage ? { 'Content-Security-Policy': PAGE_POLICY, 'Referrer-Policy': 'no-referrer' } : {}),
    },
  };
}

/** Null if they were not built. */
function readAssets(home: URL): ReadonlyMap<string, Asset> | null {
  try {
    const names = readdirSync(new URL('assets/', home));
    const files = [['index.html', 'index.html'], ...names.map((name) => [name, `assets/${name}`])] as const;
    return new Map(files.map(([name = '', path = '']) => [name, readAsset(new URL(path, home))]));
  } catch {
    return null;
  }
}

function readAsset(url: URL): Asset {
  const bytes = readFileSync(url);
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 16)}"`;
  const contentType = contentTypes[extname(url.pathname)] ?? 'application/octet-stream';
  return { contentType, bytes, gzip: gzipSync(bytes, { level: 9 }), etag };
}
