import { ConfigError } from './errors.js';

/**
 * Gathers what is wrong with a set of options, so that one error names every problem and its remedy
 * and nobody has to restart five times.
 */
export class OptionCheck {
  private readonly problems: string[] = [];

  constructor(private readonly subject: string) {}

  /** Notes a problem: say what was found and what to write instead. */
  problem(text: string): void {
    this.problems.push(text);
  }

  /** Throws one {@link ConfigError} when any problem was noted. */
  done(): void {
    if (this.problems.length > 0) throw new ConfigError(this.subject, this.problems);
  }

  /** Names that are no options, with the option that was probably meant. */
  known(options: object, names: readonly string[]): void {
    for (const name of Object.keys(options)) {
      if (names.includes(name)) continue;
      const meant = names.find((known) => simplified(known) === simplified(name));
      this.problem(`"${name}" is not an option${meant ? `; did you mean "${meant}"?` : '.'}`);
    }
  }

  /** A text that is not blank. Says the type of what was found, never its value: secrets are read with it. */
  text(name: string, value: unknown, remedy: string): string {
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.problem(`"${name}" is ${typeof value === 'string' ? 'blank' : kind(value)}; ${remedy}`);
    return '';
  }

  oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[], fallback: T): T {
    if (value === undefined) return fallback;
    const match = allowed.find((candidate) => candidate === value);
    if (match !== undefined) return match;
    this.problem(`"${name}" is ${found(value)}; write one of ${allowed.map((a) => `'${a}'`).join(', ')}.`);
    return fallback;
  }

  number(name: string, value: unknown, fallback: number, range: { min: number; max?: number }): number {
    if (value === undefined) return fallback;
    const max = range.max ?? Number.MAX_SAFE_INTEGER;
    if (typeof value === 'number' && value >= range.min && value <= max) return value;
    const limits = range.max === undefined ? `of at least ${range.min}` : `from ${range.min} to ${range.max}`;
    this.problem(`"${name}" is ${found(value)}; write a number ${limits} (default ${fallback}).`);
    return fallback;
  }

  func(name: string, value: unknown, remedy: string): void {
    if (value !== undefined && typeof value !== 'function') this.problem(`"${name}" is ${found(value)}; ${remedy}`);
  }

  /** An absolute `https:` URL; `http:` for loopback hosts only, because tokens and codes travel to it. */
  url(name: string, value: unknown): URL | undefined {
    const url = typeof value === 'string' ? parseURL(value) : undefined;
    if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      this.problem(`"${name}" is ${found(value)}; write an absolute URL like 'https://app.example.com/…'.`);
      return undefined;
    }
    if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
      this.problem(
        `"${name}" uses http: on the public host ${url.hostname}; write https: (http: is for loopback hosts).`,
      );
    }
    if (url.username || url.password) this.problem(`"${name}" carries a user name or password; leave them out.`);
    if (url.hash) this.problem(`"${name}" has a fragment (#…); leave it out.`);
    return url;
  }

  /** Like {@link url}, without path and query: the origin of a service. */
  origin(name: string, value: unknown): string {
    const url = this.url(name, value);
    if (!url) return '';
    if (url.pathname !== '/' || url.search) {
      this.problem(`"${name}" has a path or query; write the origin alone: '${url.origin}'.`);
    }
    return url.origin;
  }
}

export function parseURL(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d+){3}$/.test(hostname)
  );
}

function simplified(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]/g, '');
}

function found(value: unknown): string {
  if (typeof value === 'string') return value.length <= 60 ? `'${value}'` : `a string of ${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return kind(value);
}

function kind(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`;
}
