import type { Router } from 'express';
import { type Call, onlyFor, resource } from './call.js';
import { ApiRefusal, sendResults } from './envelope.js';
import { type Person, sparkId } from './people.js';
import type { EmulatorState } from './state.js';

/** Who is signed in, and which system this is. */
export function addAccountResources(router: Router, state: EmulatorState): void {
  resource(router, '/v1/system', {
    GET: (call) => sendResults(call.res, [system(call, portalName(state, call))]),
  });
  resource(router, '/v1/portal', {
    GET: (call) => {
      const name = portalName(state, call);
      if (name === null) throw new ApiRefusal(404, 'There is no portal');
      sendResults(call.res, [{ Id: sparkId(`portal:${name}`), Name: name, DisplayName: name, Enabled: true }]);
    },
  });
  resource(router, '/v1/my/account', {
    GET: (call) => {
      onlyFor(['private', 'idx'], call);
      sendResults(call.res, [account(call)]);
    },
  });
  resource(router, '/v1/my/contact', {
    GET: (call) => {
      onlyFor(['vow'], call);
      sendResults(call.res, [contact(call)]);
    },
  });
}

function system(call: Call, portal: string | null): object {
  const portalEndpoint =
    portal === null ? {} : { OAuth2ServiceEndpointPortal: `${call.origin}/auth/vow/${portal.toLowerCase()}` };
  return {
    Name: 'Spark emulator',
    Id: call.grantee.person.accountId,
    Mls: 'Example MLS',
    MlsId: sparkId('mls'),
    Office: 'Example Realty',
    OfficeId: sparkId('office'),
    Configuration: [{ ...portalEndpoint, OAuth2ServiceEndpointPrivate: `${call.origin}/oauth2` }],
  };
}

function account({ origin, grantee: { person } }: Call): object {
  return {
    ResourceUri: '/v1/my/account',
    Id: person.accountId,
    Name: `${person.firstName} ${person.lastName}`,
    FirstName: person.firstName,
    LastName: person.lastName,
    UserType: 'Member',
    Office: 'Example Realty',
    OfficeId: sparkId('office'),
    Mls: 'Example MLS',
    MlsId: sparkId('mls'),
    Emails: entries(person, { Address: person.email }, { Type: 'Work' }),
    Phones: entries(person, { Number: '000-555-0100' }, { Type: 'Office' }),
    Images:
      person.accountData === 'empty-lists'
        ? []
        : [{ Type: 'Photo', Uri: `${origin}/v1/photos/${person.accountId}.png` }],
  };
}

/** A list of one entry, as complete as the person's account is. */
function entries({ accountData }: Person, value: Readonly<Record<string, string>>, more: object): object[] {
  switch (accountData) {
    case 'full':
      return [{ ...value, ...more, Primary: true }];
    case 'no-primary':
      return [{ ...value, ...more }];
    case 'empty-lists':
      return [];
    case 'hidden':
      return [{ ...Object.fromEntries(Object.keys(value).map((name) => [name, '********'])), ...more, Primary: true }];
  }
}

function contact({ grantee: { person } }: Call): object {
  return {
    ResourceUri: '/v1/my/contact',
    Id: person.contactId,
    DisplayName: `${person.firstName} ${person.lastName}`,
    GivenName: person.firstName,
    FamilyName: person.lastName,
    PrimaryEmail: person.email,
    Tags: [],
  };
}

/** A consumer's portal is the one of the sign-in; an agent sees the own one. Spelled as the options spell it. */
function portalName(state: EmulatorState, call: Call): string | null {
  const wanted = call.grantee.portal ?? call.grantee.person.portals[0];
  return state.settings.portals.find((name) => name.toLowerCase() === wanted) ?? null;
}
