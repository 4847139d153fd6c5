/** Methods of prototypes that are replaced by others around them, until they are put back; if somebody else has replaced one since, theirs stays. */

type Method = (this: unknown, ...given: unknown[]) => unknown;

export class ReplacedMethods {
  readonly #restore: (() => void)[] = [];

  /** A method, inherited or not. */
  replace(prototype: object, name: string, make: (method: Method) => Method): void {
    const before = Object.getOwnPropertyDescriptor(prototype, name);
    const method = Reflect.get(prototype, name) as Method;
    const value = make(method);
    Object.defineProperty(prototype, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: before?.enumerable ?? false,
    });
    this.#restore.push(() => {
      if (Reflect.get(prototype, name) !== value) return;
      if (before === undefined) Reflect.deleteProperty(prototype, name);
      else Object.defineProperty(prototype, name, before);
    });
  }

  restore(): void {
    for (const restore of this.#restore.splice(0)) restore();
  }
}
