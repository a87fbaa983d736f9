/** Attributes that the vendor's own clients ask for by OpenID Attribute Exchange, by the vendor's aliases. */
export type AXAttribute = 'first_name' | 'last_name' | 'middle_name' | 'friendly' | 'id' | 'email';
/** Fields of OpenID Simple Registration 1.1 (§4) that fit a profile. Spark sends `fullname` and `nickname` unasked. */
export type SRegField = 'fullname' | 'nickname' | 'email';

/** What the hybrid flow asks for besides the code. */
export interface AttributeRequest {
  readonly ax: readonly AXAttribute[];
  readonly sreg: readonly SRegField[];
}

const AX_NS = 'http://openid.net/srv/ax/1.0';
const SREG_NS = 'http://openid.net/extensions/sreg/1.1';

const AX_TYPES: Readonly<Record<AXAttribute, string>> = {
  first_name: 'http://openid.net/schema/namePerson/first',
  last_name: 'http://openid.net/schema/namePerson/last',
  middle_name: 'http://openid.net/schema/namePerson/middle',
  friendly: 'http://openid.net/schema/namePerson/friendly',
  id: 'http://openid.net/schema/person/guid',
  email: 'http://openid.net/schema/contact/internet/email',
};

export const AX_ATTRIBUTES = Object.keys(AX_TYPES) as AXAttribute[];
export const SREG_FIELDS: readonly SRegField[] = ['fullname', 'nickname', 'email'];

/** The parameters that ask for attributes. Sources: the vendor's clients; Attribute Exchange 1.0 §5.1, Simple Registration 1.1 §3. */
export function attributeParams({ ax, sreg }: AttributeRequest): Record<string, string> {
  const params: Record<string, string> = {};
  if (ax.length > 0) {
    params['openid.ns.ax'] = AX_NS;
    params['openid.ax.mode'] = 'fetch_request';
    params['openid.ax.required'] = ax.join(',');
    for (const name of ax) params[`openid.ax.type.${name}`] = AX_TYPES[name];
  }
  if (sreg.length > 0) {
    params['openid.ns.sreg'] = SREG_NS;
    params['openid.sreg.optional'] = sreg.join(',');
  }
  return params;
}

/** What the assertion says of the person. */
export type Attributes = { readonly [Name in AXAttribute | SRegField]?: string };

/**
 * Reads the answers to what was asked, from the fields of a verified assertion that it signed (names without `openid.`):
 * anything else in the address may have been put there by the person.
 */
export function readAttributes(signed: ReadonlyMap<string, string>, asked: AttributeRequest): Attributes {
  const found: { [Name in AXAttribute | SRegField]?: string } = {};
  const sreg = aliasOf(signed, SREG_NS) ?? 'sreg';
  for (const field of asked.sreg) {
    const value = signed.get(`${sreg}.${field}`);
    if (value) found[field] = value;
  }
  const ax = aliasOf(signed, AX_NS) ?? 'ax';
  for (const [name, type] of signed) {
    // The answer's aliases are the provider's own: only the type says what a value is.
    if (!name.startsWith(`${ax}.type.`)) continue;
    const attribute = asked.ax.find((candidate) => AX_TYPES[candidate] === type);
    const alias = name.slice(`${ax}.type.`.length);
    const value = signed.get(`${ax}.value.${alias}`) ?? signed.get(`${ax}.value.${alias}.1`);
    if (attribute && value) found[attribute] = value;
  }
  return found;
}

function aliasOf(fields: ReadonlyMap<string, string>, namespace: string): string | undefined {
  for (const [name, value] of fields) if (name.startsWith('ns.') && value === namespace) return name.slice(3);
  return undefined;
}
