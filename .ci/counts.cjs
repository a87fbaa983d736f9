// Prints what jest's report counts: passed, failed and skipped tests.
const { readFileSync } = require('node:fs');

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
// A file that can't even be loaded has no failed tests: the file counts as one.
const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
const skipped = report.numPendingTests + report.numTodoTests;
console.log(report.numPassedTests, failed, skipped);
