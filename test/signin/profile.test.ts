import { readProfile } from '../../src/signin/profile.js';

const envelope = (person: unknown): string => JSON.stringify({ D: { Success: true, Results: [person] } });

it('reads an account', () => {
  const body = envelope({
    Id: '20100000000000000000000001',
    Name: 'Alex Example',
    FirstName: 'Alex',
    LastName: 'Example',
    Office: 'Example Homes',
    OfficeId: 'o1',
    Mls: 'Example MLS',
    MlsId: 'm1',
    Emails: [
      { Address: 'second@example.com', Type: 'Home' },
      { Address: 'first@example.com', Type: 'Work', Primary: true },
      { Address: '********' },
    ],
    Phones: [{ Number: '555-0100', Type: 'Office' }, { Number: '****' }],
    Images: [{ Type: 'Photo', Uri: 'https://photos.example.com/1.jpg' }],
  });
  expect(readProfile(body, 'private')).toEqual({
    provider: 'spark',
    id: '20100000000000000000000001',
    role: 'private',
    displayName: 'Alex Example',
    name: { givenName: 'Alex', familyName: 'Example' },
    emails: [
      { value: 'first@example.com', type: 'Work', primary: true },
      { value: 'second@example.com', type: 'Home' },
    ],
    phones: [{ value: '555-0100', type: 'Office' }],
    photos: [{ value: 'https://photos.example.com/1.jpg', type: 'Photo' }],
    mls: { id: 'm1', name: 'Example MLS' },
    office: { id: 'o1', name: 'Example Homes' },
    _raw: body,
    _json: JSON.parse(body),
  });
});

it('reads a contact', () => {
  const body = envelope({
    Id: 'c1',
    DisplayName: 'Kim Buyer',
    GivenName: 'Kim',
    FamilyName: 'Buyer',
    PrimaryEmail: 'kim@example.com',
  });
  expect(readProfile(body, 'vow')).toMatchObject({
    id: 'c1',
    role: 'vow',
    displayName: 'Kim Buyer',
    name: { givenName: 'Kim', familyName: 'Buyer' },
    emails: [{ value: 'kim@example.com', primary: true }],
    phones: [],
  });
});

it('leaves out what is hidden behind asterisks, and builds the name from its parts', () => {
  const profile = readProfile(
    envelope({ Id: 'c1', Name: '****', FirstName: 'Kim', LastName: '***', Emails: null }),
    'private',
  );
  expect(profile).toMatchObject({ displayName: 'Kim', name: { givenName: 'Kim' }, emails: [] });
  expect(profile).not.toHaveProperty('office');
});

it.each(['', '<html></html>', '{}', '{"D":{}}', '{"D":{"Results":[]}}', envelope('Kim'), envelope({ Name: 'no id' })])(
  'finds nobody in %j',
  (body) => {
    expect(readProfile(body, 'private')).toBeUndefined();
  },
);
