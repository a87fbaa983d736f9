import { SparkError } from '../src/index.js';

/** One line for what this package knows by name; the whole error where nobody expected it. */
export function logError(error: unknown): void {
  if (error instanceof SparkError) {
    const cause = error.cause instanceof Error ? `; ${error.cause.message}` : '';
    console.error(`passport-spark login site: ${error.code}: ${error.message}${cause}`);
  } else {
    console.error('passport-spark login site:', error);
  }
}
