import { FIELD_NAMES, type Listing, type StandardFields } from './data.js';
import { ApiRefusal } from './envelope.js';

/** Longest `_filter` that is read, in characters; longer ones are code 1041. */
const FILTER_MAX_LENGTH = 2_000;

type Test = (fields: StandardFields) => boolean;
type Comparison = (order: number) => boolean;

const COMPARISONS: ReadonlyMap<string, Comparison> = new Map([
  ['eq', (order: number) => order === 0],
  ['ne', (order: number) => order !== 0],
  ['gt', (order: number) => order > 0],
  ['ge', (order: number) => order >= 0],
  ['lt', (order: number) => order < 0],
  ['le', (order: number) => order <= 0],
]);

// One condition: a field, an operator, a quoted text (with \' for a quote) or a number.
const CONDITION = /\s*([A-Za-z]+)\s+([A-Za-z]{2})\s+(?:'((?:[^'\\]|\\.)*)'|(-?\d+(?:\.\d+)?))\s*/y;
const CONJUNCTION = /And\s/iy;

/**
 * Applies `_filter`, a small part of SparkQL: conditions such as `City Eq 'Springfield'` and `ListPrice Ge 100000`, joined with `And`.
 *
 * @throws ApiRefusal 1040 for everything else, 1041 when it is too long
 */
export function filterListings(listings: readonly Listing[], filter: string | null): readonly Listing[] {
  if (filter === null || filter === '') return listings;
  if (filter.length > FILTER_MAX_LENGTH) throw new ApiRefusal(1041, 'The _filter is too long');
  const tests = parseFilter(filter);
  return listings.filter((listing) => tests.every((test) => test(listing.StandardFields)));
}

function parseFilter(filter: string): readonly Test[] {
  const tests: Test[] = [];
  let at = 0;
  for (;;) {
    CONDITION.lastIndex = at;
    const match = CONDITION.exec(filter);
    if (match === null) throw badFilter(filter, at);
    tests.push(condition(match, filter, at));
    at = CONDITION.lastIndex;
    if (at === filter.length) return tests;
    CONJUNCTION.lastIndex = at;
    if (!CONJUNCTION.test(filter)) throw badFilter(filter, at);
    at = CONJUNCTION.lastIndex;
  }
}

function condition(match: RegExpExecArray, filter: string, at: number): Test {
  const [, name = '', operator = '', text, number] = match;
  const field = FIELD_NAMES.find((known) => known === name);
  const compare = COMPARISONS.get(operator.toLowerCase());
  if (field === undefined || compare === undefined) throw badFilter(filter, at);
  const wanted = text === undefined ? Number(number) : text.replace(/\\(.)/g, '$1');
  return (fields) => {
    const value = fields[field];
    if (typeof value !== typeof wanted) throw badFilter(filter, at);
    return compare(order(value, wanted));
  };
}

/**
 * Applies `_orderby`: field names separated by commas, `-` for descending, `+` for ascending.
 *
 * @throws ApiRefusal 1040 for an unknown field. A raw `+` in a URL arrives as a space and is refused too: it must be sent as `%2B`.
 */
export function orderListings(listings: readonly Listing[], orderBy: string | null): readonly Listing[] {
  if (orderBy === null || orderBy === '') return listings;
  const keys = orderBy.split(',').map((part) => {
    const [, sign, name] = /^([+-]?)(\w+)$/.exec(part) ?? [];
    const field = FIELD_NAMES.find((known) => known === name);
    if (field === undefined) throw new ApiRefusal(1040, `Cannot order by "${part}"`);
    return { field, factor: sign === '-' ? -1 : 1 };
  });
  return listings.toSorted((a, b) => {
    for (const { field, factor } of keys) {
      const result = factor * order(a.StandardFields[field], b.StandardFields[field]);
      if (result !== 0) return result;
    }
    return 0;
  });
}

/** Applies `_select` to one listing's fields; names that are unknown select nothing. */
export function selectFields(fields: StandardFields, select: string | null): Partial<StandardFields> {
  if (select === null || select === '') return fields;
  const wanted = new Set(select.split(','));
  return Object.fromEntries(Object.entries(fields).filter(([name]) => wanted.has(name)));
}

/** A part of a list, and the `Pagination` that describes it. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Only when `_pagination` asks for it. */
  readonly pagination?: object;
}

/**
 * Applies `_limit` (1 to 25, default 10), `_page` (from 1) and `_pagination` (0, 1, or `count` for the numbers alone).
 *
 * @throws ApiRefusal 1053 for any other value
 */
export function paginate<T>(items: readonly T[], query: URLSearchParams): Page<T> {
  const size = wholeNumber(query, '_limit', 10, 25);
  const page = wholeNumber(query, '_page', 1, Number.MAX_SAFE_INTEGER);
  const mode = query.get('_pagination') ?? '0';
  if (mode !== '0' && mode !== '1' && mode !== 'count') {
    throw new ApiRefusal(1053, '_pagination must be 0, 1 or count');
  }
  const part = items.slice((page - 1) * size, page * size);
  if (mode === '0') return { items: part };
  const pagination = {
    TotalRows: items.length,
    PageSize: size,
    TotalPages: Math.ceil(items.length / size),
    CurrentPage: page,
  };
  return { items: mode === 'count' ? [] : part, pagination };
}

function wholeNumber(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > most) throw new ApiRefusal(1053, `${name} must be a whole number from 1 to ${most}`);
  return value;
}

function order(a: string | number, b: string | number): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function badFilter(filter: string, at: number): ApiRefusal {
  return new ApiRefusal(1040, `The _filter cannot be read from "${filter.slice(at, at + 40)}" on`);
}
