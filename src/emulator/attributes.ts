import type { Person } from './people.js';

const AX_NS = 'http://openid.net/srv/ax/1.0';

/** The attribute types of the vendor's own clients. */
const VALUES: ReadonlyMap<string, (person: Person) => string> = new Map([
  ['http://openid.net/schema/namePerson/first', (person: Person) => person.firstName],
  ['http://openid.net/schema/namePerson/last', (person: Person) => person.lastName],
  ['http://openid.net/schema/namePerson/middle', () => ''],
  ['http://openid.net/schema/namePerson/friendly', (person: Person) => person.username],
  ['http://openid.net/schema/person/guid', (person: Person) => person.accountId],
  ['http://openid.net/schema/contact/internet/email', (person: Person) => person.email],
]);

/**
 * Answers an attribute exchange `fetch_request`: for each alias that is required or available-if-asked, its type and value
 * (OpenID Attribute Exchange 1.0 §5.2). Types that the emulator does not know are left out.
 *
 * @param request - fields of the sign-in request, by their names without `openid.`
 */
export function attributeAnswer(
  request: ReadonlyMap<string, string>,
  person: Person,
): readonly (readonly [string, string])[] {
  if (request.get('ax.mode') !== 'fetch_request') return [];
  const wanted = [request.get('ax.required'), request.get('ax.if_available')]
    .flatMap((list) => (list ?? '').split(','))
    .filter((alias) => alias !== '');
  const answer: (readonly [string, string])[] = [];
  for (const alias of new Set(wanted)) {
    const type = request.get(`ax.type.${alias}`) ?? '';
    const value = VALUES.get(type);
    if (value !== undefined) answer.push([`ax.type.${alias}`, type], [`ax.value.${alias}`, value(person)]);
  }
  return [['ns.ax', AX_NS], ['ax.mode', 'fetch_response'], ...answer];
}
