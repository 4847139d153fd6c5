/** A page that reads the live feed, as far as the feed sees it: it takes what it is given, or does not. */
import { EventEmitter } from 'node:events';
import type { LiveClient } from '../src/gateway/admin/live-feed.ts';

let streams = 0;

export class LiveReader extends EventEmitter implements LiveClient {
  /** A name of its own. */
  readonly stream = String(streams++);
  readonly texts: string[] = [];
  takes = true;

  write(text: string): boolean {
    this.texts.push(text);
    return this.takes;
  }

  destroy(): void {
    this.emit('close');
  }

  events(): string[] {
    return this.texts.map((text) => /^event: (\w+)\ndata: .*\n\n$/.exec(text)?.[1] ?? text);
  }

  answers(): unknown[] {
    return this.texts.flatMap((text) =>
      text.startsWith('event: answers') ? [JSON.parse(text.split('data: ')[1]!)] : [],
    );
  }
}
