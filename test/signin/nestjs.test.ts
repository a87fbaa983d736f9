import 'reflect-metadata';
import {
  Controller,
  type ExecutionContext,
  Get,
  type INestApplication,
  Injectable,
  type MiddlewareConsumer,
  Module,
  Req,
  Res,
  UseGuards,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import type { Request, Response } from 'express';
import session from 'express-session';
import passport from 'passport';
import { createSparkEmulator, type SparkEmulatorHandle } from '../../src/emulator/index.js';
import { type SparkProfile, SparkStrategy, sparkProxy } from '../../src/index.js';
import { CLIENT } from '../support/app.js';
import { freePort } from '../support/redis.js';
import { Visitor } from '../support/visitor.js';

let spark: SparkEmulatorHandle;
let app: INestApplication | undefined;

beforeEach(async () => {
  spark = await createSparkEmulator().listen(0);
});
afterEach(async () => {
  await app?.close();
  await spark.close();
  passport.unuse('spark');
});

/** Decorators without their syntax, which needs a compiler that is told of it. */
function decorate(
  target: { prototype: object },
  methods: Record<string, readonly unknown[]>,
  ...onClass: unknown[]
): void {
  for (const [name, decorators] of Object.entries(methods)) {
    const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
    for (const one of decorators) (one as (...args: unknown[]) => void)(target.prototype, name, descriptor);
  }
  for (const one of onClass) (one as (target: unknown) => void)(target);
}

const at = (index: number, decorator: () => ParameterDecorator) => (prototype: object, name: string) =>
  decorator()(prototype, name, index);

async function start(build: (strategy: () => SparkStrategy, url: string) => object): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let made: SparkStrategy | undefined;

  class SparkService extends PassportStrategy(SparkStrategy, 'spark') {
    constructor() {
      super({
        ...CLIENT,
        callbackURL: `${url}/auth/spark/callback`,
        platformURL: spark.url,
        apiURL: spark.url,
        passReqToCallback: false,
      } as never);
      made = this as unknown as SparkStrategy;
    }
    validate(_accessToken: string, _refreshToken: string, profile: SparkProfile): object {
      return { id: profile.id, name: profile.displayName };
    }
  }
  decorate(SparkService, {}, Injectable());
  const strategy = (): SparkStrategy => {
    if (!made) throw new Error('Nest has not made the strategy yet');
    return made;
  };
  const root = build(strategy, url);
  const { module, metadata } = root as { module: { prototype: object }; metadata: object };
  decorate(
    module,
    {},
    Module({ imports: [PassportModule.register({ session: true })], ...metadata, providers: [SparkService] }),
  );

  passport.serializeUser((user, done) => done(null, user));
  passport.deserializeUser((user: Express.User, done) => done(null, user));
  app = await NestFactory.create(module as never, { logger: false });
  app.use(session({ secret: 'test secret', resave: false, saveUninitialized: false }));
  app.use('/spark', (req: Request, res: Response, next: () => void) =>
    sparkProxy({ strategy: strategy() })(req, res, next),
  );
  app.use(passport.session());
  await app.listen(port, '127.0.0.1');
  return url;
}

it('signs in by AuthGuard on the login and callback routes, with super.logIn', async () => {
  const url = await start(() => {
    class SparkGuard extends AuthGuard('spark') {
      override async canActivate(context: ExecutionContext): Promise<boolean> {
        const allowed = Boolean(await super.canActivate(context));
        await super.logIn(context.switchToHttp().getRequest());
        return allowed;
      }
    }
    class Auth {
      login(): void {}
      callback(res: Response): void {
        res.redirect('/me');
      }
      me(req: Request): object {
        return req.user ?? {};
      }
    }
    decorate(
      Auth,
      {
        login: [Get('login'), UseGuards(SparkGuard)],
        callback: [Get('auth/spark/callback'), UseGuards(SparkGuard), at(0, Res)],
        me: [Get('me'), at(0, Req)],
      },
      Controller(),
    );
    return { module: class App {}, metadata: { controllers: [Auth] } };
  });
  const person = new Visitor(url);
  expect((await person.signIn('/login')).headers.location).toBe('/me');
  expect((await person.page('/me')).body).toEqual({ id: expect.any(String), name: 'Agent Example' });
  expect((await person.call('/spark/v1/my/account')).status).toBe(200);
  expect((await new Visitor(url).signIn('/login', { decision: 'deny' })).status).toBe(401); // Nest's own answer
});

it('guards everything by the wall as a middleware', async () => {
  const url = await start(() => {
    class Pages {
      page(req: Request): object {
        return { user: req.user, url: req.originalUrl };
      }
    }
    decorate(Pages, { page: [Get('page'), at(0, Req)] }, Controller());
    class App {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply(passport.authenticate('spark')).forRoutes('{*path}');
      }
    }
    return { module: App, metadata: { controllers: [Pages] } };
  });
  const person = new Visitor(url);
  expect((await person.agent.get('/page').set('Accept', 'application/json')).status).toBe(401);
  expect((await person.signIn('/page?a=1')).headers.location).toBe('/page?a=1');
  expect((await person.page('/page?a=1')).body).toMatchObject({ user: { name: 'Agent Example' }, url: '/page?a=1' });
});
