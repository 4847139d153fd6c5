/** The world of this process, as commands see it. */
import { systemClock } from '../kernel/clock.ts';
import type { CommandIo } from './command.ts';
import { createOutput } from './terminal.ts';

export function processIo(): CommandIo {
  return {
    out: createOutput(process.stdout, process.env),
    err: createOutput(process.stderr, process.env),
    environment: process.env,
    clock: systemClock,
  };
}
