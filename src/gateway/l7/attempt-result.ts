/** What the end of an attempt says of whoever was asked; null is nothing. */
import { type TrafficResult, trafficResults } from '../../health/index.ts';
import { isOurs } from '../connection-failure.ts';
import type { Refusal } from '../slots.ts';

/** `begun`: there was an answer; `isStale`: it was lost with a kept connection on which nothing had come back. */
export function resultOf(refusal: Refusal, begun: boolean, isStale: boolean): TrafficResult | null {
  switch (refusal) {
    case 'connect_timeout':
      return trafficResults.connectTimeout;
    case 'upstream_protocol':
      return trafficResults.protocol;
    case 'upstream_timeout':
      return begun ? trafficResults.brokenOff : trafficResults.answerTimeout;
    case 'upstream_reset':
      if (isStale) return null;
      return begun ? trafficResults.brokenOff : trafficResults.reset;
    default:
      return null;
  }
}

/** Of a connection that could not be made. */
export function resultOfConnect(code: string, shookHands: boolean): TrafficResult | null {
  if (isOurs(code)) return null;
  if (shookHands) return trafficResults.tlsFailed;
  if (code === 'ECONNREFUSED') return trafficResults.refused;
  return code === 'ETIMEDOUT' ? trafficResults.connectTimeout : trafficResults.unreachable;
}
