import { SignInRequiredError, SparkError } from '../errors.js';
import { begin } from './begin.js';
import { isSignedIn, justFinished, type SignInCall } from './call.js';
import { framed, LOOP, messageOf, TOKENS_LOST } from './messages.js';
import { refuse } from './refuse.js';
import { urlParts } from './request.js';
import { safeReturnTo } from './transaction.js';
import { isFramed, isNavigation } from './wall.js';

/** The sign-in wall: signed-in people pass, browsers are sent to Spark, everything else is told to sign in. */
export async function guard(call: SignInCall): Promise<void> {
  if (await isSignedIn(call)) {
    justFinished(call); // the session came back: a sign-in for this page after a sign-out is no loop
    call.strategy.pass();
    return;
  }
  if (!isNavigation(call.req)) {
    const error = new SignInRequiredError();
    refuse(call, error, messageOf(error));
    return;
  }
  if (isFramed(call.req)) {
    const page = safeReturnTo(urlParts(call.req).target, call.parts.settings.callbackPath);
    refuse(call, new SignInRequiredError(), framed(page));
    return;
  }
  if (justFinished(call)) {
    if (call.req.user) {
      const lost = new SparkError(
        'The tokens of a sign-in that just ended are not there: does the token store keep them?',
        {
          code: 'sign_in_loop',
          status: 503,
        },
      );
      refuse(call, lost, TOKENS_LOST);
      return;
    }
    const error = new SparkError('The session cookie did not come back.', { code: 'sign_in_loop', status: 403 });
    refuse(call, error, LOOP);
    return;
  }
  await call.parts.tokens.reach();
  await begin(call);
}

/** A route: sends the browser to Spark, but not one that has just come from there. */
export async function beginOrPass(call: SignInCall): Promise<void> {
  // Express leaves `req.route` set after a route that called next(), so a wall below it looks like a route, which
  // would send a signed-in browser to Spark for ever.
  if (justFinished(call) && (await isSignedIn(call))) {
    process.emitWarning(
      `passport.authenticate('spark') on ${urlParts(call.req).path} sends people who just signed in to Spark again. ` +
        'If it is meant to guard that page, write passport.authenticate("spark", { wall: true }).',
      { code: 'SPARK_WALL' },
    );
    call.strategy.pass();
    return;
  }
  await begin(call);
}
