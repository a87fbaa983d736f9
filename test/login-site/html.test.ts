import { html } from '../../example-app/html.js';
import { readPerson } from '../../example-app/person.js';

describe('html', () => {
  it('escapes values, in text and in attributes', () => {
    const name = `<img src=x onerror="alert('1')">&`;

    expect(html`<p title="${name}">${name}</p>`.text).toBe(
      '<p title="&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;">&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;</p>',
    );
  });

  it('takes markup, lists of markup and nothing as they are', () => {
    const items = ['a', '<'].map((text) => html`<li>${text}</li>`);

    expect(html`<ul>${items}</ul>${undefined}${false}${0}`.text).toBe('<ul><li>a</li><li>&lt;</li></ul>0');
  });
});

describe('readPerson', () => {
  it.each([
    [
      'the profile of the strategy',
      { displayName: 'A', office: { name: 'O' }, emails: [{ value: 'a@example.com' }] },
      { name: 'A', office: 'O', email: 'a@example.com' },
    ],
    ['a user of the host', { username: 'lee', email: 'lee@example.com' }, { name: 'lee', email: 'lee@example.com' }],
    ['a name alone', 'lee', { name: 'lee' }],
    ['an object that names nobody', { id: 7 }, { name: 'Signed in' }],
    [
      'fields of other types',
      { displayName: 7, name: { givenName: 'A' }, office: null, emails: 'x' },
      { name: 'Signed in' },
    ],
    ['nobody', undefined, undefined],
    ['null', null, undefined],
  ])('reads %s', (_what, user, person) => {
    expect(readPerson(user)).toEqual(person);
  });
});
