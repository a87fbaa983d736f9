import { tour } from './tour.js';

jest.mock('express', () => jest.requireActual('express4'));

describe('the emulator on Express 4', tour);
