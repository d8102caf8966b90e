// An ordinary page: its modules appear some time after its scripts have run.
(() => {
  const settings = window.__simulator;
  const { require, __d } = window;
  if (!settings.modules) { delete window.require; delete window.__d; }
  if (/HeadlessChrome/.test(navigator.userAgent) || navigator.userAgentData?.brands?.some(({ brand }) => /Headless/.test(brand))) {
    window.__sim.screen.outdated();
    return;
  }
  if (settings.modules) {
    window.require = undefined;
    setTimeout(() => {
      window.require = require;
      window.__d = __d;
      window.Debug = { VERSION: settings.version };
    }, settings.loadSeconds * 1000);
  }
  setTimeout(() => window.__sim.socket.open(), settings.loadSeconds * 1000);
})();
