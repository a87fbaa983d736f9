/** The emulator's time. It follows the machine's clock and can be moved forward, so that no test waits for a token to expire. */
export interface EmulatorClock {
  /** Milliseconds since 1970, as `Date.now()` counts them, plus everything that {@link EmulatorClock.advance} added. */
  now(): number;
  /**
   * Moves the emulator's time forward.
   *
   * @param ms - milliseconds, 0 or more
   * @throws RangeError when `ms` is negative or not finite: tokens that come back to life would hide errors
   */
  advance(ms: number): void;
}

/** Creates a clock that starts at the machine's time. */
export function createClock(): EmulatorClock {
  let offsetMs = 0;
  return {
    now: () => Date.now() + offsetMs,
    advance(ms) {
      if (!Number.isFinite(ms) || ms < 0) {
        throw new RangeError(`clock.advance takes milliseconds, 0 or more; it was given ${ms}.`);
      }
      offsetMs += ms;
    },
  };
}
