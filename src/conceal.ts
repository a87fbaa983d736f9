/**
 * Takes properties that hold secrets or tokens out of what is listed of an object: `console.log`, `util.inspect`,
 * `JSON.stringify` and loggers that walk through `req` print what is enumerable. They are read and written as before, also
 * through an `Object.create` of the object, as Passport calls a strategy; private fields (`#name`) would fail there.
 */
export function conceal(object: object, ...names: readonly string[]): void {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false });
}
