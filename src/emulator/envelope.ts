import type { Response } from 'express';

/** The vendor's API codes and the HTTP status that belongs to each. */
const STATUS_OF_CODE: ReadonlyMap<number, number> = new Map([
  [404, 404],
  [405, 405],
  [1000, 401],
  [1005, 403],
  [1010, 401],
  [1013, 403],
  [1015, 403],
  [1016, 400],
  [1017, 405],
  [1018, 405],
  [1019, 403],
  [1020, 401],
  [1021, 403],
  [1022, 422],
  [1023, 503],
  [1024, 503],
  [1026, 500],
  [1030, 403],
  [1035, 400],
  [1040, 400],
  [1041, 400],
  [1050, 400],
  [1053, 400],
  [1055, 409],
  [1100, 403],
  [1110, 409],
  [1500, 403],
  [1505, 403],
  [1510, 503],
  [1515, 503],
  [1516, 503],
  [1550, 429],
]);

/** The sentence of the vendor's OAuth 2 page; clients may look for it. */
const EXPIRED_MESSAGE = 'Session token has expired';
const REALM = "OAuth realm='Flexmls API'";

/** A refusal in the API's own terms: thrown by a resource, sent by the error handler. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal';

  /**
   * @param code - Spark code; it decides the HTTP status
   * @param retryAfterSeconds - value of `Retry-After`, for 429 and 503
   */
  constructor(
    readonly code: number,
    message: string,
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }

  get status(): number {
    return statusOfCode(this.code);
  }
}

/** Code 1020, the refusal that a refresh mends. */
export function expiredToken(): ApiRefusal {
  return new ApiRefusal(1020, EXPIRED_MESSAGE);
}

/** HTTP status of a Spark code; 500 for codes that are not in the vendor's list. */
export function statusOfCode(code: number): number {
  return STATUS_OF_CODE.get(code) ?? 500;
}

/** The text that stands for a code where nothing more is known. */
export function messageOfCode(code: number): string {
  return code === 1020 ? EXPIRED_MESSAGE : `Request refused with code ${code}`;
}

/** Sends a success in the envelope `{"D":{"Success":true,"Results":[…]}}`. */
export function sendResults(
  res: Response,
  results: readonly unknown[],
  more: { readonly status?: number; readonly pagination?: object } = {},
): Response {
  const pagination = more.pagination === undefined ? {} : { Pagination: more.pagination };
  return res.status(more.status ?? 200).json({ D: { Success: true, Results: results, ...pagination } });
}

/** Sends a refusal; under `/Reso` in the form of that interface, everywhere else in the envelope. */
export function sendRefusal(res: Response, refusal: ApiRefusal, reso: boolean): Response {
  if (refusal.code === 1020) res.set('WWW-Authenticate', `${REALM}, error='expired_token'`);
  else if (refusal.status === 401) res.set('WWW-Authenticate', REALM);
  if (refusal.retryAfterSeconds !== undefined) res.set('Retry-After', String(refusal.retryAfterSeconds));
  const { code, message } = refusal;
  const body = reso
    ? { error: { code: String(code), message } }
    : { D: { Success: false, Message: message, Code: code } };
  return res.status(refusal.status).json(body);
}
