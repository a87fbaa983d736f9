import type { IncomingMessage } from 'node:http';
import { RequestRefusedError } from './errors.js';
import { ClientGone, type Outgoing } from './exchange.js';
import { refuseQuery } from './paths.js';
import type { ProxySettings } from './proxy-options.js';
import { announcesBody, Pieces, Upload } from './upload.js';

/** Of a form that stands for the query. Longer than any query. */
const MAX_FORM_BYTES = 256 * 1024;

/** A query that travels as a form is judged like one in the target: so all of it is read before any goes up. */
export async function formUp(req: IncomingMessage, settings: ProxySettings): Promise<Outgoing['body']> {
  if (!announcesBody(req)) return null;
  if (req.headers['content-encoding'] !== undefined)
    throw new RequestRefusedError('A form that stands for the query must not be compressed.', {
      code: 'method_override',
      status: 400,
    });
  const form = isConsumed(req) ? rawBodyOf(req) : await wholeForm(req, settings.upstream.timeouts.idleMs);
  const refusal = refuseQuery(form.toString('latin1'), settings.pathRules);
  if (refusal) throw new RequestRefusedError(refusal.message, refusal);
  return form;
}

/**
 * Reads as uploads are read: with a limit for a client that stops, and to the end although nobody wants the rest, because
 * a client that writes does not come to read the answer.
 */
async function wholeForm(req: IncomingMessage, idleMs: number): Promise<Buffer> {
  const form = new Upload(req, 0);
  form.watch(idleMs, (stalled) => form.destroy(stalled));
  const gone = (): void => {
    if (!req.readableEnded) form.destroy(new ClientGone());
  };
  req.once('close', gone);
  const pieces = new Pieces();
  try {
    // Nobody sets an encoding, so these are bytes.
    for await (const chunk of form as AsyncIterable<Buffer>) {
      if (pieces.size + chunk.length > MAX_FORM_BYTES) throw tooLong();
      pieces.add(chunk);
    }
    return pieces.together();
  } finally {
    req.off('close', gone);
  }
}

/** The body to send, if there is one; the length of one that is streamed goes to the headers. */
export function bodyUp(req: IncomingMessage, headers: string[], settings: ProxySettings): Outgoing['body'] {
  if (!announcesBody(req)) return null;
  if (isConsumed(req)) return rawBodyOf(req);
  const length = req.headers['content-length'];
  if (length !== undefined) headers.push('Content-Length', length);
  return new Upload(req, settings.replayLimit);
}

function isConsumed(req: IncomingMessage): boolean {
  return req.readableDidRead || req.readableEnded || req.destroyed;
}

/** What a parser kept of the body. One that is rebuilt from parsed values would not be the same. */
function rawBodyOf(req: IncomingMessage): Buffer {
  const { rawBody } = req as { rawBody?: unknown };
  // Parsers keep the bytes of a compressed body only after they unpacked it: no longer what the headers say.
  if (Buffer.isBuffer(rawBody) && req.headers['content-encoding'] === undefined) return rawBody;
  throw new RequestRefusedError(
    'A body parser consumed the body before the proxy: mount sparkProxy before the parser, or keep the bytes as req.rawBody.',
    { code: 'body_consumed', status: 500 },
  );
}

function tooLong(): RequestRefusedError {
  return new RequestRefusedError('The form that stands for the query is longer than 256 KiB.', {
    code: 'form_too_long',
    status: 413,
  });
}
