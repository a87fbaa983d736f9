import type { SparkStrategyOptions } from '../../src/index.js';
import { startApp, type TestApp } from '../support/app.js';
import { answerSpark, Visitor } from '../support/visitor.js';

interface Way {
  readonly username: string;
  readonly strategy: Partial<SparkStrategyOptions>;
}

const WAYS: [name: string, way: Way][] = [
  ['Private by OAuth 2', { username: 'agent', strategy: { role: 'private' } }],
  ['IDX by OAuth 2', { username: 'agent', strategy: { role: 'idx' } }],
  ['VOW by its portal', { username: 'consumer', strategy: { role: 'vow', portal: 'myportal' } }],
  ['VOW by the multi-agent endpoint', { username: 'consumer', strategy: { role: 'vow', portal: false } }],
  ['Private by the hybrid flow', { username: 'agent', strategy: { role: 'private', flow: 'hybrid' } }],
  ['IDX by the hybrid flow', { username: 'agent', strategy: { role: 'idx', flow: 'hybrid' } }],
  ['Private by a verified hybrid flow', { username: 'agent', strategy: { flow: 'hybrid', verifyAssertion: true } }],
];

/** One sign-in under way: the callback that Spark sent, for the person whose browser began it. */
interface Scene {
  readonly app: TestApp;
  readonly person: Visitor;
  readonly address: URL;
  readonly state: string;
  readonly way: Way;
}

interface End {
  readonly status: number;
  readonly location?: string;
  readonly text?: string;
  /** Codes that were spent. */
  readonly grants: number;
  /** Is the person who began it signed in at the end? Default: when the answer is a redirect. */
  readonly signedIn?: boolean;
}

type Reply = Promise<{ status: number; text: string; headers: Record<string, string> }>;

const isHybrid = ({ way }: Scene): boolean => way.strategy.flow === 'hybrid';

/** The callback with an error, in the words of either flow. */
function errorAddress(scene: Scene, error: string): string {
  const { origin, pathname } = scene.address;
  const params = isHybrid(scene)
    ? { 'openid.mode': 'error', 'openid.error': error, 'openid.spark.state': scene.state }
    : { error, error_description: error, state: scene.state };
  return `${origin}${pathname}?${new URLSearchParams(params)}`;
}

function change(scene: Scene, name: 'state' | 'code', value: string): string {
  const changed = new URL(scene.address);
  changed.searchParams.set(isHybrid(scene) ? `openid.spark.${name}` : name, value);
  return changed.href;
}

const send = (scene: Scene, address: string): Reply => scene.person.back(address) as unknown as Reply;

const OUTCOMES: [name: string, act: (scene: Scene) => Reply, end: End][] = [
  ['a sign-in', (s) => send(s, s.address.href), { status: 302, location: '/wanted', grants: 1 }],
  [
    'a denial',
    async (s) => (await s.person.signIn('/wanted', { username: s.way.username, decision: 'deny' })) as unknown as Reply,
    { status: 403, text: 'You did not allow access', grants: 0 },
  ],
  ['a server error at Spark', (s) => send(s, errorAddress(s, 'server_error')), { status: 502, grants: 0 }],
  ['Spark away for now', (s) => send(s, errorAddress(s, 'temporarily_unavailable')), { status: 503, grants: 0 }],
  [
    'a request that Spark does not take',
    (s) => send(s, errorAddress(s, 'invalid_request')),
    { status: 500, grants: 0 },
  ],
  [
    'a redirect URI that Spark does not know',
    (s) => send(s, errorAddress(s, 'redirect_uri_mismatch')),
    { status: 500, grants: 0 },
  ],
  [
    'a state of somebody else',
    (s) => send(s, change(s, 'state', 'tampered')),
    { status: 403, text: 'over', grants: 0 },
  ],
  [
    'a stale attempt',
    async (s) => {
      const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 11 * 60_000);
      const reply = await send(s, s.address.href);
      clock.mockRestore();
      return reply;
    },
    { status: 403, text: 'This sign-in is over', grants: 0 },
  ],
  [
    'a replay by the person who signed in',
    async (s) => {
      await send(s, s.address.href);
      return await send(s, s.address.href);
    },
    { status: 302, location: '/', grants: 1 },
  ],
  [
    'a replay by somebody else',
    async (s) => {
      await send(s, s.address.href);
      return (await new Visitor(s.app.url).back(s.address.href)) as unknown as Reply;
    },
    { status: 403, text: 'This sign-in is over', grants: 1, signedIn: true },
  ],
  [
    'a code that Spark refuses',
    (s) => {
      s.app.spark.failNextGrant({ kind: 'refuse', error: 'invalid_grant' });
      return send(s, s.address.href);
    },
    { status: 403, text: 'This sign-in is over', grants: 1 },
  ],
  [
    'a token endpoint that fails',
    (s) => {
      s.app.spark.failNextGrant({ kind: 'status', status: 500 });
      return send(s, s.address.href);
    },
    { status: 502, text: 'Spark did not finish the sign-in', grants: 1 },
  ],
];

/** The hybrid flow has one error, whatever its text. */
const HYBRID_ERROR = 500;

describe.each(WAYS)('%s', (_way, way) => {
  it.each(OUTCOMES)('ends well with %s', async (_outcome, act, end) => {
    const warn = jest.spyOn(process, 'emitWarning').mockReturnValue();
    const app = await startApp({ strategy: way.strategy });
    const person = new Visitor(app.url);
    const away = new URL((await person.page('/wanted')).headers.location as string);
    const state = away.searchParams.get('state') ?? away.searchParams.get('openid.spark.state') ?? '';
    const address = new URL(await answerSpark(away.href, { username: way.username }));
    const scene = { app, person, address, state, way };

    const reply = await act(scene);

    const isError = end.status >= 500 && end.grants === 0;
    expect(reply.status).toBe(isError && isHybrid(scene) ? HYBRID_ERROR : end.status);
    if (end.location !== undefined) expect(reply.headers.location).toBe(end.location);
    if (end.text !== undefined) expect(reply.text).toContain(end.text);
    if (isError) expect(reply.text).toMatch(/Spark could not sign you in/);
    expect(app.spark.grants('authorization_code')).toHaveLength(end.grants);
    expect((await person.call('/spark/v1/system')).status).toBe((end.signedIn ?? end.status === 302) ? 200 : 401);
    expect(`${reply.text}${warn.mock.calls.join()}`).not.toMatch(/emulator-secret/);
    warn.mockRestore();
  });
});
