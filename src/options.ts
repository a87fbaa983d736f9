import { validateHeaderName } from 'node:http';
import { ConfigError } from './errors.js';

/** Scopes: a list, or a text that is already as the server wants it (RFC 6749 §3.3). */
export type Scope = string | readonly string[];

/** Node's timers count no further, in milliseconds: 24.8 days. A longer time would be over at once. */
export const MAX_TIMER_MS = 2_147_483_647;

export const USER_AGENT_REMEDY = "write your application's name and version, like 'MyApp/1.0'.";

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

  /** The options as a whole. Throws at once when they are no object: then there is nothing else to look at. */
  object(options: unknown, remedy: string): void {
    if (typeof options === 'object' && options !== null) return;
    this.problem(`the options are ${kind(options)}; ${remedy}`);
    this.done();
  }

  /** Names that are no options, with the option that was probably meant. */
  known(options: object, names: readonly string[]): void {
    for (const name of Object.keys(options)) {
      if (!names.includes(name)) this.problem(`"${name}" is not an option${didYouMean(name, names) ?? '.'}`);
    }
  }

  /** The same among options that belong to others: only names that are ours but for their spelling. */
  spelt(options: object, names: readonly string[]): void {
    for (const name of Object.keys(options)) {
      const meant = names.includes(name) ? undefined : didYouMean(name, names);
      if (meant) this.problem(`"${name}" is not an option${meant}`);
    }
  }

  /** A text that is not blank. Says the type of what was found, never its value: secrets are read with it. */
  text(name: string, value: unknown, remedy: string): string {
    if (typeof value === 'string' && value.trim() !== '') return value;
    this.problem(`"${name}" is ${typeof value === 'string' ? 'blank' : kind(value)}; ${remedy}`);
    return '';
  }

  /** A text that some server gave, an id or a secret, which is sent to it as it stands. */
  credential(name: string, value: unknown, remedy: string): string {
    const text = this.text(name, value, remedy);
    if (text !== text.trim())
      this.problem(
        `"${name}" begins or ends with white space, like the line end of a file; write it without: .trim().`,
      );
    return text;
  }

  oneOf<T extends string>(name: string, value: unknown, allowed: readonly T[], fallback: T): T {
    if (value === undefined) return fallback;
    const match = allowed.find((candidate) => candidate === value);
    if (match !== undefined) return match;
    this.problem(`"${name}" is ${described(value)}; write one of ${allowed.map((a) => `'${a}'`).join(', ')}.`);
    return fallback;
  }

  /** A flag. One that is read from the environment is a text, and `'false'` would switch it on. */
  flag(name: string, value: unknown, fallback: boolean): boolean {
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    this.problem(`"${name}" is ${described(value)}; write true or false (default ${fallback}).`);
    return fallback;
  }

  /** A whole number: timers, sockets and Redis take no others, and would say so at the first request. */
  whole(name: string, value: unknown, fallback: number, range: { min: number; max?: number }): number {
    if (value === undefined) return fallback;
    const max = range.max ?? Number.MAX_SAFE_INTEGER;
    if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= max) return value;
    const limits = range.max === undefined ? `of at least ${range.min}` : `from ${range.min} to ${range.max}`;
    this.problem(`"${name}" is ${described(value)}; write a whole number ${limits} (default ${fallback}).`);
    return fallback;
  }

  /** The text of one header, in ASCII: what else may stand there, servers read in different ways (RFC 9110 §5.5). */
  header(name: string, value: unknown, remedy: string): string {
    const text = this.text(name, value, remedy);
    if (isHeaderText(text)) return text;
    this.problem(`"${name}" holds characters that a header can not; write plain ASCII.`);
    return '';
  }

  /** Headers by name. Says of what is wrong never the value, which may be a secret. */
  headers(name: string, value: unknown): Readonly<Record<string, string>> {
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problem(`"${name}" is ${kind(value)}; write an object: { 'X-Name': 'text' }.`);
      return {};
    }
    for (const [header, text] of Object.entries(value)) {
      if (!isHeaderName(header))
        this.problem(`"${name}" has ${described(header)}, which is no header's name; leave it out.`);
      else if (typeof text !== 'string') this.problem(`"${name}" has a ${header} that is ${kind(text)}; write a text.`);
      else if (!isHeaderText(text))
        this.problem(`"${name}" has a ${header} with characters that a header can not hold; write plain ASCII.`);
    }
    return value as Readonly<Record<string, string>>; // of texts alone: what is not was noted
  }

  /** Parameters of a request by name. Says of what is wrong never the value. */
  params(name: string, value: unknown): void {
    if (value === undefined) return;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problem(`"${name}" is ${kind(value)}; write an object: { audience: 'https://api.example.com' }.`);
      return;
    }
    for (const [param, text] of Object.entries(value)) {
      if (typeof text !== 'string')
        this.problem(`"${name}" has a "${param}" that is ${kind(text)}; write a text, or leave it out.`);
    }
  }

  /** Scopes as one parameter (RFC 6749 §3.3); undefined where there are none. */
  scope(scope: unknown, separator: string): string | undefined {
    if (scope === undefined || typeof scope === 'string' || isTextList(scope)) return scopeText(scope, separator);
    this.problem("\"scope\" is neither a text nor a list of texts; write ['listings', 'contacts'].");
    return undefined;
  }

  func(name: string, value: unknown, remedy: string): void {
    if (value !== undefined && typeof value !== 'function') this.problem(`"${name}" is ${described(value)}; ${remedy}`);
  }

  /** An absolute `https:` URL; `http:` for loopback hosts only, because tokens and codes travel to it. */
  url(
    name: string,
    value: unknown,
    remedy = "write an absolute URL like 'https://app.example.com/…'.",
  ): URL | undefined {
    const url = typeof value === 'string' ? parseURL(value) : undefined;
    if (!url || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
      this.problem(`"${name}" is ${described(value)}; ${remedy}`);
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
  origin(name: string, value: unknown, remedy: string): string {
    const url = this.url(name, value, remedy);
    if (!url) return '';
    if (url.pathname !== '/' || url.search) {
      this.problem(`"${name}" has a path or query; write the origin alone: '${url.origin}'.`);
    }
    return url.origin;
  }
}

/** The scopes of one call, of `subject`, as one parameter; undefined where there are none. @throws ConfigError */
export function scopeOfCall(subject: string, scope: unknown, separator: string): string | undefined {
  const check = new OptionCheck(subject);
  const text = check.scope(scope, separator);
  check.done();
  return text;
}

function scopeText(scope: Scope | undefined, separator: string): string | undefined {
  const text = typeof scope === 'string' ? scope : scope?.join(separator);
  return text === '' ? undefined : text;
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

/**
 * What a function of the application answered. An async one would go on unheard, and end the process where it rejects.
 * @throws ConfigError it answered a promise
 */
export function atOnce<T>(subject: string, name: string, answer: T, remedy: string): T {
  if (typeof (answer as { then?: unknown } | null | undefined)?.then !== 'function') return answer;
  (answer as PromiseLike<unknown>).then(undefined, () => undefined);
  throw new ConfigError(subject, [`"${name}" answered a promise, but must answer at once; ${remedy}`]);
}

function isHeaderName(name: string): boolean {
  try {
    validateHeaderName(name);
    return true;
  } catch {
    return false;
  }
}

function isHeaderText(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function didYouMean(name: string, names: readonly string[]): string | undefined {
  const meant = names.find((known) => simplified(known) === simplified(name));
  return meant && `; did you mean "${meant}"?`;
}

function simplified(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z]/g, '');
}

/** What was found, in words; of long texts, which may be secrets, the length alone. */
export function described(value: unknown): string {
  if (typeof value === 'string') return value.length <= 60 ? `'${value}'` : `a string of ${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return kind(value);
}

function kind(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`;
}
