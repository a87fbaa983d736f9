import { type AssertionBook, createAssertionBook } from './assertions.js';
import { createClock, type EmulatorClock } from './clock.js';
import { CodeBook } from './codes.js';
import { FaultPlan } from './faults.js';
import { EmulatorLog } from './log.js';
import type { Client } from './people.js';
import type { Settings } from './settings.js';
import { TokenVault } from './tokens.js';

/** Everything one emulator remembers. */
export interface EmulatorState {
  readonly settings: Settings;
  readonly clock: EmulatorClock;
  readonly codes: CodeBook;
  readonly tokens: TokenVault;
  readonly assertions: AssertionBook;
  readonly faults: FaultPlan;
  readonly log: EmulatorLog;
  clientById(id: string): Client | undefined;
}

/** Creates the state of a new emulator: no codes, no tokens, an empty log. */
export function createState(settings: Settings): EmulatorState {
  const clock = createClock();
  return {
    settings,
    clock,
    codes: new CodeBook(clock),
    tokens: new TokenVault(settings, clock),
    assertions: createAssertionBook(),
    faults: new FaultPlan(),
    log: new EmulatorLog(),
    clientById: (id) => settings.clients.find((client) => client.id === id),
  };
}
