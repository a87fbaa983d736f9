/**
 * A constructor of the same objects as `base`, with a prototype of the caller's choice: something a class can't have.
 * Node's two message classes are old-style functions and can be called on an object that is there already. Should one
 * become a class, the prototype is changed afterwards: right, and no faster than Express.
 */
export function withPrototype<Base extends abstract new (...args: never[]) => object>(
  base: Base,
  prototype: InstanceType<Base>,
): Base {
  return isClass(base) ? changingAfterwards(base, prototype) : callingOn(base, prototype);
}

/** Given to no constructor. */
const NEVER = {};

function callingOn<Base>(base: Base, prototype: object): Base {
  // Not Reflect.construct, which works out a new hidden class at every call here: 40 µs in place of 0.2.
  const init = base as unknown as (this: object, first: unknown, second: unknown) => void; // an old-style constructor is a function
  function Derived(this: Record<string, undefined>, first: unknown, second: unknown): void {
    init.call(this, first, second);
    // V8 makes room for as many properties as it sees assigned here, and soon takes back what nobody uses. Without it
    // a response, which Node gives more than thirty, becomes a slow dictionary before anybody has touched it.
    if (first === NEVER) {
      // biome-ignore format: room, nothing to read
      this.p0 = this.p1 = this.p2 = this.p3 = this.p4 = this.p5 = this.p6 = this.p7 = this.p8 = this.p9 = this.p10 = this.p11 =
      this.p12 = this.p13 = this.p14 = this.p15 = this.p16 = this.p17 = this.p18 = this.p19 = this.p20 = this.p21 = this.p22 = this.p23 =
      this.p24 = this.p25 = this.p26 = this.p27 = this.p28 = this.p29 = this.p30 = this.p31 = this.p32 = this.p33 = this.p34 = this.p35 =
      this.p36 = this.p37 = this.p38 = this.p39 = this.p40 = this.p41 = this.p42 = this.p43 = this.p44 = this.p45 = this.p46 = this.p47 =
        undefined;
    }
  }
  Derived.prototype = prototype;
  return Derived as unknown as Base; // it makes what `base` makes, and is only ever called with `new`
}

function changingAfterwards<Base>(base: Base, prototype: object): Base {
  const Parent = base as unknown as new (...args: unknown[]) => object; // that it is a class was asked before
  class Derived extends Parent {
    constructor(...args: unknown[]) {
      super(...args);
      Object.setPrototypeOf(this, prototype);
    }
  }
  return Derived as unknown as Base; // a subclass of `base`, whose constructor it hands everything to
}

function isClass(base: unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(base));
}
