// Older versions under another name have no types of their own; those of the current ones fit what the tests use.
declare module 'express4' {
  import express = require('express');
  export = express;
}
declare module 'passport6' {
  import passport = require('passport');
  export = passport;
}
declare module 'passport-http-bearer' {
  import passport = require('passport');
  export class Strategy extends passport.Strategy {
    constructor(verify: (token: string, done: (error: unknown, user?: object | false) => void) => void);
    authenticate(): void;
  }
}
declare module 'cookie-session' {
  import type { RequestHandler } from 'express';
  export default function cookieSession(options: { secret: string }): RequestHandler;
}
declare module 'connect-flash' {
  import type { RequestHandler } from 'express';
  export default function flash(): RequestHandler;
}
declare module 'connect-ensure-login' {
  import type { RequestHandler } from 'express';
  export function ensureLoggedIn(to: string): RequestHandler;
}
declare module 'passport-oauth2-refresh' {
  const refresh: {
    use(name: string, strategy: object): void;
    requestNewAccessToken(name: string, refreshToken: string, done: (...answer: unknown[]) => void): void;
    requestNewAccessToken(
      name: string,
      refreshToken: string,
      params: object,
      done: (...answer: unknown[]) => void,
    ): void;
  };
  export default refresh;
}
declare module 'express-http-proxy' {
  import type { Request, RequestHandler } from 'express';

  interface Options {
    headers?: Record<string, string>;
    parseReqBody?: boolean;
    proxyReqOptDecorator(options: { headers: Record<string, string> }, req: Request): object | Promise<object>;
  }
  const proxy: (target: string, options?: Options) => RequestHandler;
  export = proxy;
}
