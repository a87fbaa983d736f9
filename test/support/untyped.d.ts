// Older versions under another name have no types of their own; those of the current ones fit what the tests use.
declare module 'express4' {
  import express = require('express');
  export = express;
}
declare module 'passport6' {
  import passport = require('passport');
  export = passport;
}
