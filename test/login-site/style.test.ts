import { readFileSync } from 'node:fs';
import path from 'node:path';

const CSS = readFileSync(path.resolve(__dirname, '../../example-app/public/site.css'), 'utf8');
const [LIGHT = '', DARK = ''] = CSS.match(/:root \{[^}]*\}/g) ?? [];

function colour(scheme: string, name: string): string {
  return scheme.match(new RegExp(`--${name}: (#\\w{6});`))?.[1] ?? '';
}

/** Relative luminance (WCAG 2.2). */
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one: string, other: string): number {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

// WCAG 2.2, 1.4.11: what shows where the focus is has to stand out from what is around it.
it.each([
  ['light', LIGHT],
  ['dark', DARK],
])('the focus ring stands out in the %s scheme', (_name, scheme) => {
  const [, ring = ''] = CSS.match(/:focus-visible \{[^}]*outline: 3px solid var\(--([\w-]+)\)/) ?? [];

  for (const ground of ['ground', 'card', 'tint', 'note']) {
    expect(contrast(colour(scheme, ring), colour(scheme, ground))).toBeGreaterThanOrEqual(3);
  }
});

it('takes the ring off a choice only where its card can show it', () => {
  const everywhere = CSS.replaceAll(/@supports selector\(:has\(\*\)\) \{(?:[^{}]*\{[^{}]*\})*[^{}]*\}/g, '');

  expect(everywhere).not.toMatch(/input:focus-visible \{[^}]*outline: none/);
  expect(CSS).toMatch(/\.choice input:focus-visible \{\s*outline: none/);
});
