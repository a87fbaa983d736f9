import { tour } from './tour.js';

describe('the emulator on Express 5', tour);
