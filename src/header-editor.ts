import { validateHeaderName, validateHeaderValue } from 'node:http';

/** What `onRequest` and `onResponse` edit. Names in any case. */
export interface HeaderEditor {
  /** The value; repeated values joined with a comma. Undefined where there is none. */
  get(name: string): string | undefined;
  has(name: string): boolean;
  /** Names as they were sent, each once. */
  names(): string[];
  /** Puts the value in place of all that are there. @throws TypeError the header is the proxy's own, or can't be sent */
  set(name: string, value: string): void;
  /** Adds a value to those that are there. @throws TypeError as `set` */
  append(name: string, value: string): void;
  /** Answers whether there was one. Headers that the proxy sets are not there yet, and so can't be taken out. */
  delete(name: string): boolean;
}

/**
 * Edits a raw header list in place, before the proxy adds what is its own: the access token is never in it.
 * `isOurs` names (in lower case) what the hooks may not set.
 */
export class ListEditor implements HeaderEditor {
  private closed = false;

  constructor(
    private readonly list: string[],
    private readonly isOurs: (lower: string) => boolean,
  ) {}

  get(name: string): string | undefined {
    const values = this.places(name).map((i) => this.list[i + 1]);
    return values.length === 0 ? undefined : values.join(', ');
  }

  has(name: string): boolean {
    return this.places(name).length > 0;
  }

  names(): string[] {
    const names = new Map<string, string>();
    for (let i = 0; i < this.list.length; i += 2) {
      const name = this.list[i] ?? '';
      if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
    }
    return [...names.values()];
  }

  set(name: string, value: string): void {
    this.check(name, value);
    this.delete(name);
    this.list.push(name, value);
  }

  append(name: string, value: string): void {
    this.check(name, value);
    this.list.push(name, value);
  }

  delete(name: string): boolean {
    this.refuseLate();
    const places = this.places(name);
    for (const i of places.reverse()) this.list.splice(i, 2);
    return places.length > 0;
  }

  /** The hook is done: what it still keeps of the editor has no effect any more, and says so. */
  close(): void {
    this.closed = true;
  }

  private check(name: string, value: string): void {
    this.refuseLate();
    validateHeaderName(name);
    validateHeaderValue(name, value);
    if (this.isOurs(name.toLowerCase())) throw new TypeError(`The header ${name} is set, or kept out, by sparkProxy.`);
  }

  private refuseLate(): void {
    if (this.closed) throw new TypeError('The headers have gone: edit them before the hook is done.');
  }

  private places(name: string): number[] {
    const lower = name.toLowerCase();
    const places: number[] = [];
    for (let i = 0; i < this.list.length; i += 2) if (this.list[i]?.toLowerCase() === lower) places.push(i);
    return places;
  }
}
