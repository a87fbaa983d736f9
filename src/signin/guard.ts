import { SignInRequiredError, SparkError } from '../errors.js';
import { begin, pageWanted } from './begin.js';
import { isSignedIn, roundsFor, type SignInCall, type Standing, standing } from './call.js';
import { findLink } from './link.js';
import { framed, LOOP, messageOf, TOKENS_LOST } from './messages.js';
import { refuse } from './refuse.js';
import { urlParts } from './request.js';
import { safeReturnTo } from './return-to.js';
import { isFramed, isNavigation } from './wall.js';

/** So often a browser may finish a sign-in for one page, each within a minute of the one before, and be sent to Spark again. */
const MAX_ROUNDS = 2;

/** The sign-in wall: signed-in people pass, browsers are sent to Spark, everything else is told to sign in. */
export async function guard(call: SignInCall): Promise<void> {
  const who = await standing(call);
  const rounds = roundsFor(call, urlParts(call.req).target);
  if (who === 'signed in') {
    rounds.forget(); // the session came back: a sign-in for this page after a sign-out is no loop
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
  // Whoever signed in at a wall before this one has its role, and may need another here.
  if (rounds.times > (who === 'another role' ? MAX_ROUNDS : 0)) {
    rounds.forget();
    refuseLoop(call, who);
    return;
  }
  rounds.keep(); // a wall before this one has let it pass, and forgotten them
  await call.parts.tokens.reach();
  await begin(call);
}

/** Who is not signed in as they were to be. */
type Lost = Exclude<Standing, 'signed in'>;

/** Says why this browser is not sent to Spark once more. */
function refuseLoop(call: SignInCall, who: Lost): void {
  const cause = call.req.user ? LOOP_CAUSES[who] : lostUser(call);
  if (cause === undefined) {
    const noSession =
      'The session did not come back: is its cookie blocked, or a secure one and the application reached by http, or does its store lose sessions?';
    refuse(call, new SparkError(noSession, { code: 'sign_in_loop', status: 403 }), LOOP);
    return;
  }
  refuse(call, new SparkError(cause, { code: 'sign_in_loop', status: 503 }), TOKENS_LOST);
}

/** Why there is no user, where the session came back with its link. Undefined: it did not. */
function lostUser({ req, parts }: SignInCall): string | undefined {
  switch (findLink(req.session, parts.settings.sessionKey).kind) {
    case 'none':
      return undefined;
    case 'link':
      return "The session came back, and its user is not on the request: mount passport.session() before passport.authenticate('spark').";
    case 'foreign':
      // Passport takes a user out of the session whom deserializeUser does not know.
      return 'The session came back without its user: deserializeUser answered nobody for what serializeUser had kept.';
  }
}

/** Why somebody with a user is sent to Spark again and again. */
const LOOP_CAUSES: Readonly<Record<Lost, string>> = {
  nobody: 'The tokens of a sign-in that just ended are not there: does the token store keep them?',
  'another role':
    'A sign-in for this page does not end with the role and portal that its wall asks for: does another wall before it ask for others, or does a function name another portal each time?',
};

/** A route: sends the browser to Spark, but not one that has just come from there, nor one that always comes back. */
export async function beginOrPass(call: SignInCall): Promise<void> {
  // Express leaves `req.route` set after a route that called next(), so a wall below it looks like a route, which
  // would send a signed-in browser to Spark for ever.
  const rounds = roundsFor(call, urlParts(call.req).target);
  if (rounds.ledHere && (await isSignedIn(call))) {
    rounds.forget();
    process.emitWarning(
      `passport.authenticate('spark') on ${urlParts(call.req).path} sends people who just signed in to Spark again. ` +
        'If it is meant to guard that page, write passport.authenticate("spark", { wall: true }). ' +
        'If it is a login route, give it { returnTo: "/" }, or the page that people are to come to.',
      { code: 'SPARK_WALL' },
    );
    call.strategy.pass();
    return;
  }
  // A page that leads whoever has no user to this route does so for ever where the browser keeps no session. Not before
  // the third time: the application may have signed the person out, in its own way.
  const forPage = roundsFor(call, pageWanted(call));
  if (forPage.times > MAX_ROUNDS) {
    const who = await standing(call);
    if (who !== 'signed in') {
      forPage.forget();
      refuseLoop(call, who);
      return;
    }
  }
  forPage.keep();
  await begin(call);
}
