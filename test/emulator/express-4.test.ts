import { createSparkEmulator } from '../../src/emulator/index.js';
import { tour } from './tour.js';

jest.mock('express', () => jest.requireActual('express4'));

describe('the emulator on Express 4', tour);

it('has been tested with that Express', () => {
  // Only Express 4 makes its router at the first use.
  expect('lazyrouter' in createSparkEmulator().app).toBe(true);
});
