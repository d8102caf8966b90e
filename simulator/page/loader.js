// The module registry, of the shape Meta's pages have: `__d` defines, `require` makes on first use, and
// `require('__debug').modulesMap` shows what there is. A module that is absent throws, as the real one does.
(() => {
  const absent = new Set(window.__simulator.without);
  const modules = Object.create(null);

  function define(name, dependencies, factory, special = 66) {
    if (absent.has(name)) return;
    modules[name] = {
      id: name, dependencies, depPosition: 0, factory, special, exports: {}, factoryFinished: false, resolved: false,
    };
  }

  function load(name) {
    const module = modules[name];
    if (!module) throw new Error(`Requiring unknown module "${name}"`);
    if (!module.factoryFinished) {
      module.factoryFinished = true;
      const holder = { exports: module.exports };
      const made = module.factory.call(window, window, load, load, load, holder, module.exports);
      module.exports = made ?? holder.exports;
      module.resolved = true;
    }
    return module.exports;
  }

  window.__d = define;
  window.require = load;
  window.importNamespace = load;
  window.importDefault = (name) => load(name).default ?? load(name);
  window.ErrorGuard = {
    skipGuardGlobal() {},
    applyWithGuard: (call, context, given) => call.apply(context, given),
    guard: (call) => call,
  };
  define('__debug', [], () => ({ modulesMap: modules }));
  Object.defineProperty(window, '__registry', { value: { absent, modules } });
})();
