// Prints, for each module named on the command line, what `import` and `require` give, and where they differ.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const answers = {};
for (const name of process.argv.slice(2)) {
  const imported = await import(name);
  const required = require(name);
  // Node 24 adds one name of its own to what is imported from CommonJS.
  const names = [...new Set([...Object.keys(imported), ...Object.keys(required)])]
    .filter((key) => key !== 'module.exports')
    .sort();
  answers[name] = { names, different: names.filter((key) => imported[key] !== required[key]) };
}
console.log(JSON.stringify(answers));
