import type { Router } from 'express';
import { isObject, jsonObject } from './body.js';
import { type Call, onlyFor, resource } from './call.js';
import { ApiRefusal, sendResults } from './envelope.js';
import { paginate } from './listing-query.js';
import { sparkId } from './people.js';

interface Contact {
  readonly ResourceUri: string;
  readonly Id: string;
  readonly DisplayName: string;
  readonly PrimaryEmail: string;
}

/** `/v1/contacts`: an agent's address book, each agent with an own one. The one resource that is written to. */
export function addContactResources(router: Router): void {
  const books = new Map<string, Contact[]>();

  function bookOf(call: Call): Contact[] {
    onlyFor(['private'], call);
    const owner = call.grantee.person.accountId;
    const book = books.get(owner) ?? [];
    books.set(owner, book);
    return book;
  }

  resource(router, '/v1/contacts', {
    GET: (call) => {
      const { items, ...more } = paginate(bookOf(call), call.query);
      sendResults(call.res, items, more);
    },
    POST: (call) => {
      const book = bookOf(call);
      const { DisplayName, PrimaryEmail } = newContact(call);
      const id = sparkId(`contact:${call.grantee.person.accountId}:${book.length}`);
      const contact = { ResourceUri: `/v1/contacts/${id}`, Id: id, DisplayName, PrimaryEmail };
      book.push(contact);
      sendResults(call.res, [{ Id: contact.Id, ResourceUri: contact.ResourceUri }], { status: 201 });
    },
  });
}

function newContact({ req, body }: Call): Pick<Contact, 'DisplayName' | 'PrimaryEmail'> {
  const fields = jsonObject(req, body)?.D;
  if (!isObject(fields)) throw new ApiRefusal(1035, 'The body must be JSON of the form {"D":{…}}');
  return { DisplayName: text(fields, 'DisplayName'), PrimaryEmail: text(fields, 'PrimaryEmail') };
}

function text(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string' || value === '') throw new ApiRefusal(1050, `The field ${name} is missing`);
  return value;
}
