/** Who is told of the alerts of objectives, and how. */
import type * as z from 'zod';
import { list, name, oneOf, section } from '../../reading/values.ts';
import { pointedText } from './secret.ts';

export const alertAddress = {
  expected: 'an address that begins with https:// or http://',
  accepts: (given: string): boolean =>
    given.length <= 2048 &&
    /^https?:\/\/[!-~]+$/.test(given) &&
    URL.canParse(given) &&
    new URL(given).hash === '' &&
    // A user and a password are decoded when it is asked.
    !/%(?![\da-f]{2})/i.test(new URL(given).username + new URL(given).password),
};

const address = () =>
  pointedText({
    ...alertAddress,
    meta: { pattern: '^https?://.+$|^file:.+$|^env:.+$', examples: ['env:ALERT_URL', 'https://hooks.example/T0/B0'] },
  });

export const alertsSchema = list(
  section({
    name: name().describe('Unique among the receivers; it is said where something is wrong with it.'),
    webhook: address()
      .optional()
      .describe('Gets the alert as JSON, by POST. The address is a secret: written here, `file:PATH` or `env:NAME`.'),
    slack: address().optional().describe('The same for an incoming webhook of Slack, or of what takes the same JSON.'),
    alertmanager: address()
      .optional()
      .describe('An Alertmanager, without `/api/v2/alerts`: it routes, repeats and silences by itself.'),
    on: oneOf(['page', 'all']).prefault('all').describe('`page`: only what should wake somebody. `all`: tickets too.'),
  }),
  { what: 'receivers', max: 20 },
);

export type AlertReceivers = z.output<typeof alertsSchema>;
