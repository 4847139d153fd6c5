/** A line of the audit log: somebody asked for a change, and what became of it. */

export interface AuditEntry {
  /** Who asked: by what and with which token (“cli, made token”), or who says so of a pass. Never a token itself. */
  readonly by: string;
  /** Where it came from: `host:port`, or words; null if that is told by another entry. */
  readonly remote: string | null;
  /** Such as `POST /api/reload`. */
  readonly action: string;
  readonly outcome: string;
}

/** Such as `POST /api/drain by cli, made token, from 127.0.0.1:50412: done`. */
export function auditText({ action, by, outcome, remote }: AuditEntry): string {
  return `${action} by ${by}${remote === null ? '' : `, from ${remote}`}: ${outcome}`;
}
