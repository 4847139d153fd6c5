/** An alert as others read it: our own JSON, the API of Alertmanager (v2), and what Slack and those who copy it take. Pure. */
import { type AlertExplanation, alertLines } from './explanation.ts';

/** How long an alert is on in Alertmanager if it is not told again: four times as long as between two tellings. */
const ALERTMANAGER_ON_MS = 240_000;

export function webhookBody(explanation: AlertExplanation): object {
  return { version: 1, ...explanation, text: alertLines(explanation).join('\n') };
}

/** `POST /api/v2/alerts`, with the labels that the compiled rules have, so that their routes hold. */
export function alertmanagerBody(explanations: readonly AlertExplanation[], nowMs: number): object {
  return explanations.map((explanation) => {
    const { slo, service, name, severity, burn, summary, sinceMs, endedMs } = explanation;
    return {
      labels: {
        alertname: 'SloBudgetBurn',
        ...{ slo_id: slo, slo_service: service, slo_name: name, severity, burn: String(burn) },
      },
      annotations: { summary, description: alertLines(explanation).slice(1).join('\n') },
      startsAt: new Date(Math.min(sinceMs, nowMs)).toISOString(),
      endsAt: new Date(endedMs ?? nowMs + ALERTMANAGER_ON_MS).toISOString(),
    };
  });
}

const colours = { page: '#d73a49', ticket: '#dbab09', resolved: '#28a745' } as const;

export function slackBody(explanation: AlertExplanation): object {
  const [head = '', ...rest] = alertLines(explanation).map(escaped);
  const color = explanation.state === 'resolved' ? colours.resolved : colours[explanation.severity];
  return { text: head, attachments: [{ color, text: rest.join('\n'), mrkdwn_in: [] }] };
}

/** The three signs that mean something there: no name can be a link, or call everybody. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
