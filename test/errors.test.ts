import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from '@swc/core';
import { UnavailableError } from '../src/index.js';

const ROOT = join(__dirname, '..');
/** What plays the other side, or tests stores, gives out no errors of this package. */
const NOT_OURS = /^(?:emulator|testing)\b/;
/** Where a code is an argument: the error classes, their constructors' `super`, and the helpers that make errors. */
const MAKES_ERRORS = /^(?:[A-Z]\w+Error|super|refused|refuseStale|bad|fail)$/;
/** Of a `TokenError`: what the server may have done. */
const OUTCOMES = ['not-sent', 'refused', 'unknown'];

/** A node of a syntax tree, as far as this test reads it. */
interface Node {
  readonly type?: string;
  readonly value?: unknown;
  readonly key?: Node;
  readonly callee?: Node;
  readonly arguments?: readonly { readonly expression: Node }[];
  readonly consequent?: Node;
  readonly alternate?: Node;
}

/** The codes of the errors that a program makes: as a property `code`, or as an argument of what makes errors. */
function codesIn(node: Node): string[] {
  const parts = Object.values(node).filter((part) => typeof part === 'object' && part !== null);
  return [...codesOf(node), ...parts.flatMap((part: Node) => codesIn(part))];
}

function codesOf({ type, key, value, callee, arguments: given = [] }: Node): string[] {
  if (type === 'KeyValueProperty' && key?.value === 'code') return literals(value as Node);
  if (type !== 'NewExpression' && type !== 'CallExpression') return [];
  const name = callee?.type === 'Super' ? 'super' : callee?.value;
  if (typeof name !== 'string' || !MAKES_ERRORS.test(name)) return [];
  return given.flatMap(({ expression }) => literals(expression)).filter((text) => !OUTCOMES.includes(text));
}

/** The words that an expression may come to: a literal, or a choice of two. */
function literals({ type, value, consequent, alternate }: Node): string[] {
  if (type === 'ConditionalExpression') return [consequent, alternate].flatMap((one) => (one ? literals(one) : []));
  return type === 'StringLiteral' && typeof value === 'string' && /^[a-z]+(?:_[a-z]+)*$/.test(value) ? [value] : [];
}

function sources(): string[] {
  return readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !NOT_OURS.test(file))
    .map((file) => readFileSync(join(ROOT, 'src', file), 'utf8'));
}

function codesOfSource(): readonly string[] {
  const codes = sources().flatMap((text) =>
    codesIn(parseSync(text, { syntax: 'typescript', target: 'es2022' }) as Node),
  );
  return [...new Set(codes)].sort();
}

/** The codes in the first column of the tables. */
function codesOfDocs(): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs', 'errors.md'), 'utf8');
  const cells = [...page.matchAll(/^\| (`[^|]*`) \|/gm)].map(([, cell = '']) => cell);
  const codes = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, code = '']) => code));
  return [...new Set(codes)].filter((code) => code !== 'code').sort();
}

// The message of an error is what a log gets: making it must not fail.
it('keeps a cause that is its own cause, as far as it says something', () => {
  const cause: Error & { cause?: unknown } = new Error('goes round');
  cause.cause = cause;
  const error = new UnavailableError('away', { code: 'store_unavailable', cause });
  expect(error.cause).toMatchObject({ message: 'goes round', cause: { message: 'goes round' } });
});

it('docs/observability.md lists every warning that this package gives, and no other', () => {
  const page = readFileSync(join(ROOT, 'docs', 'observability.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `(SPARK_\w+)` \|/gm)].map(([, code = '']) => code);
  const given = sources().flatMap((text) => [...text.matchAll(/code: '(SPARK_\w+)'/g)].map(([, code = '']) => code));

  expect(listed.sort()).toEqual([...new Set(given)].sort());
});

// Programs go by the codes: one that the docs do not know is one that nobody can rely on.
it('docs/errors.md lists every code that this package gives, and no other', () => {
  expect(codesOfDocs()).toEqual(codesOfSource());
});
