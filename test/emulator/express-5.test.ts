import { createSparkEmulator } from '../../src/emulator/index.js';
import { tour } from './tour.js';

describe('the emulator on Express 5', tour);

it('has been tested with that Express', () => {
  // Only Express 4 makes its router at the first use.
  expect('lazyrouter' in createSparkEmulator().app).toBe(false);
});
