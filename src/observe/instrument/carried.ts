/**
 * Events of a request and its answer in the context of that request. What comes later on a connection (bodies, `close`) is told by the connection,
 * which belongs to no request; so each of the two gets an `emit` of its own that runs listeners where they belong.
 * Cost: below 100 ns an event.
 */
import { EventEmitter } from 'node:events';
import { currentContext, runInContext, type WorkContext } from '../context/work-context.ts';

type Emit = (this: EventEmitter, event: string | symbol, ...values: unknown[]) => boolean;

const { emit } = EventEmitter.prototype as { emit: Emit };

/** `closed` is called after the listeners of `close`. */
export function carry(emitter: EventEmitter, context: WorkContext, closed?: () => void): void {
  const value: Emit = function carriedEmit(...given) {
    try {
      if (currentContext() === context) return emit.apply(this, given);
      return runInContext(context, () => emit.apply(this, given));
    } finally {
      if (given[0] === 'close') closed?.();
    }
  };
  Object.defineProperty(emitter, 'emit', { value, writable: true, configurable: true, enumerable: false });
}
