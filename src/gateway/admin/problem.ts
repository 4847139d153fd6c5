/** What the admin API answers when it will not: a status, and a sentence that says what was wrong (RFC 9457). */

export interface Problem {
  readonly status: number;
  readonly title: string;
  /** What was wrong with this request, and what to do. Holds no secret and nothing of another caller. */
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Further members of the body. */
  readonly members?: Readonly<Record<string, unknown>>;
}

export function problemBody({ status, title, detail, members }: Problem): string {
  return `${JSON.stringify({ type: 'about:blank', title, status, detail, ...members })}\n`;
}
