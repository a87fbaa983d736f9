import { type AuthorizationError, describeError } from '../errors.js';
import type { SignInCall } from './call.js';
import { LOOP } from './messages.js';
import { safeReturnTo } from './return-to.js';
import { answerWall, isNavigation, type WallMessage } from './wall.js';

/** A wall answers by itself; a route fails for what the person did, and errs for what went wrong. */
export function refuseOrFail(call: SignInCall, error: AuthorizationError, message: WallMessage, info?: object): void {
  if (call.wall) refuse(call, error, message);
  else if (error.status === 403) call.strategy.fail(info ?? { message: error.message, code: error.code }, 403);
  else call.strategy.error(error);
}

/** The wall's answer: what the application asked for, else a page or JSON. The log gets the cause of what went wrong. */
export function refuse(call: SignInCall, error: unknown, message: WallMessage): void {
  const { req, res, options, wall, strategy } = call;
  const fails = options.failWithError || options.wall === 'fail';
  // What an application is told of a loop is not what causes it.
  if (message.code === LOOP.code || (message.status >= 500 && !fails)) {
    process.emitWarning(describeError(error), { type: 'SparkStrategy', code: 'SPARK_SIGN_IN' });
  }
  // Of a route `failureRedirect` may lead to that route again, and so end what goes round and round.
  const redirects = wall && options.failureRedirect !== undefined && isNavigation(req) && message.status !== 503;
  // To Passport, which also knows failureFlash and failureMessage.
  if (fails || redirects) strategy.fail({ message: message.text, code: message.code }, message.status);
  else answerWall(req, res, message, startOf(call));
}

/** Where people begin anew: what the call says, else the place where the wall is mounted. A router of routes needs no such page. */
function startOf({ req, options, wall, parts }: SignInCall): string {
  const mount = wall && req.baseUrl ? req.baseUrl : '/';
  return safeReturnTo(options.returnTo ?? mount, parts.settings.callbackPath);
}
