/** Where the API is, and how the application is called there. */
export interface Api {
  readonly apiURL: string;
  readonly userAgent: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
  readonly wwwAuthenticate: string;
}

const TIMEOUT_MS = 30_000;

/** One GET at the Spark API. @throws what `fetch` throws: the caller says what could not be done */
export async function askSpark({ apiURL, userAgent }: Api, accessToken: string, path: string): Promise<ApiAnswer> {
  const response = await fetch(apiURL + path, {
    headers: { accept: 'application/json', authorization: `OAuth ${accessToken}`, 'x-sparkapi-user-agent': userAgent },
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return {
    status: response.status,
    body: await response.text(),
    wwwAuthenticate: response.headers.get('www-authenticate') ?? '',
  };
}

/** The first of the `Results` in Spark's envelope, if it is an object. */
export function firstResult(json: unknown): Record<string, unknown> | undefined {
  const results = (json as { D?: { Results?: unknown } } | null | undefined)?.D?.Results;
  const first: unknown = Array.isArray(results) ? results[0] : undefined;
  return typeof first === 'object' && first !== null ? (first as Record<string, unknown>) : undefined;
}

export function parseJSON(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // an HTML page, or a body that was cut
  }
}
