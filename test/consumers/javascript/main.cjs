const { startApp } = require('./app.cjs');

startApp().then(({ url }) => {
  process.stdin.on('end', () => process.exit()).resume();
  console.log(url);
});
