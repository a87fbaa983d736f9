/**
 * Awaits a function that calls back, and answers what it was given beside the error. One that is async may reject in
 * place of calling back: a rejection that nobody looks at ends the process.
 */
export async function calledBack(
  call: (done: (error?: unknown, ...values: unknown[]) => void) => unknown,
): Promise<readonly unknown[]> {
  return await new Promise((resolve, reject) => {
    const answer = call((error, ...values) => (error ? reject(error) : resolve(values)));
    // Without a reason it would be no error to Passport, and the request go on.
    Promise.resolve(answer).catch((reason: unknown) => reject(reason ? reason : new Error(NO_REASON)));
  });
}

const NO_REASON = 'A function of the application rejected without a reason.';
