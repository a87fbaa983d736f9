import { types } from 'node:util';
import { SparkError } from '../src/index.js';

/**
 * One line for what this package knows by name; of others where it happened, too. Never an error's own properties: those
 * of Redis clients hold the arguments of their commands, which are sessions.
 */
export function logError(error: unknown): void {
  logNote(error instanceof SparkError ? oneLine(error) : whole(error));
}

export function logNote(text: string): void {
  console.error(`passport-spark login site: ${text}`);
}

function oneLine({ code, message, cause }: SparkError): string {
  return `${code}: ${message}${cause instanceof Error ? `; ${cause.message}` : ''}`;
}

/** The stack begins with name and message. */
function whole(error: unknown): string {
  if (!types.isNativeError(error)) return `something that is no error was thrown, of type ${typeof error}`;
  const { name, message, stack = `${name}: ${message}`, cause } = error;
  const { code } = error as { code?: unknown };
  const because = types.isNativeError(cause) ? `\nCause: ${cause.name}: ${cause.message}` : '';
  return `${typeof code === 'string' ? `${code}: ` : ''}${stack}${because}`;
}
