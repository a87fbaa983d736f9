import express from 'express';
// The whole table of both-roads.test.ts, on the Express that is mocked here.
import './both-roads.test.js';

jest.mock('express', () => jest.requireActual('express4'));

it('has been tested with Express 4', () => {
  // Only Express 4 makes its router at the first use.
  expect('lazyrouter' in express()).toBe(true);
});
