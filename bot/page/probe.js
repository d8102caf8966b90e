function (config) {
  'use strict';
  if (window !== window.top || location.origin !== config.origin) return;

  const store = window.localStorage;
  const native = {
    getItem: Storage.prototype.getItem.bind(store),
    setItem: Storage.prototype.setItem.bind(store),
    clear: Storage.prototype.clear.bind(store),
    prompt: window.prompt.bind(window),
    fetch: window.fetch.bind(window),
    setTimeout: window.setTimeout.bind(window),
    encode: JSON.stringify,
    decode: JSON.parse,
    now: Date.now,
  };
  const binding = window[config.notify];
  const tell = (kind, value) => { try { binding(native.encode({ kind, ...value })); } catch { /* the bot is gone */ } };
  const attempt = (action) => { try { return action() ?? null; } catch { return null; } };

  // --- localStorage -------------------------------------------------------------------------------------------
  const PAIR = ['last-wid-md', 'WANoiseInfo'];
  // A change of one of these holds the page until the copy is on disk: the rest of the pairing comes after that.
  const IDENTITY = new Set([...PAIR, 'WANoiseInfoIv', 'WAWebEncKeySalt', 'WALid', 'me-display-name']);
  const sessionKeys = () => attempt(() => PAIR.every((key) => native.getItem(key)));
  let copied = null;
  let copies = 0;
  let waiting = false;

  function copy() {
    waiting = false;
    if (!sessionKeys()) return false;
    const entries = {};
    for (let at = 0; at < store.length; at += 1) {
      const key = store.key(at);
      entries[key] = native.getItem(key);
    }
    const text = native.encode(entries);
    if (text === copied) return false;
    copied = text;
    copies += 1;
    tell('storage', { number: copies, entries });
    return true;
  }

  function changed(key) {
    try {
      if (key !== null && IDENTITY.has(key)) {
        if (copy()) native.prompt(`${config.notify}:${copies}`);
      } else if (!waiting) {
        waiting = true;
        native.setTimeout(() => attempt(copy), 250);
      }
    } catch { /* the page's own write stands; the next look copies it */ }
  }

  for (const name of ['setItem', 'removeItem', 'clear']) {
    const original = Storage.prototype[name];
    const wrapper = { [name](...given) {
      const result = Reflect.apply(original, this, given);
      if (this === store) changed(name === 'setItem' ? String(given[0]) : null);
      return result;
    } }[name];
    Object.defineProperty(wrapper, 'length', { value: original.length, configurable: true });
    Storage.prototype[name] = wrapper;
  }

  function restore(entries) {
    if (location.search.includes('post_logout')) return;
    try {
      if (PAIR.every((key) => native.getItem(key) === entries[key])) return;
      native.clear();
      for (const [key, value] of Object.entries(entries)) native.setItem(key, value);
      copied = null;
    } catch { tell('restore_failed', {}); }
  }

  // --- modules ------------------------------------------------------------------------------------------------
  const missing = new Set();
  function module(name) {
    const found = attempt(() => window.require(name));
    if (found) missing.delete(name); else missing.add(name);
    return found;
  }
  const inTime = (value, seconds) => Promise.race([
    Promise.resolve(value).catch(() => null),
    new Promise((resolve) => { native.setTimeout(() => resolve(null), seconds * 1000); }),
  ]);
  const followed = new WeakSet();
  function follow(model, names) {
    if (!model || typeof model.on !== 'function' || followed.has(model)) return;
    followed.add(model);
    for (const name of names) attempt(() => model.on(`change:${name}`, () => tell('change', {})));
  }

  // A message of ours bears the kind of id that its device gives (as Baileys tells devices apart): phones have their own.
  const PHONES_ID = /^(?!3E)(3A.{18}|.{21}|.{32})$/;
  let phoneSeen = null;
  const note = (message) => attempt(() => {
    const { id, t } = message;
    if (id.fromMe && PHONES_ID.test(id.id) && Number.isFinite(t) && !(t <= phoneSeen)) phoneSeen = t;
  });
  function listen(messages) {
    if (!messages || followed.has(messages)) return;
    followed.add(messages);
    for (const message of messages.getModelsArray()) note(message);
    messages.on('add', note);
  }

  const base64 = (value) => {
    if (typeof value === 'string') return value;
    const encoded = attempt(() => module('WABase64').encodeB64(value));
    return encoded ?? attempt(() => btoa(String.fromCharCode(...new Uint8Array(value.buffer ?? value))));
  };
  const QR_MODULES = [
    'WAWebUserPrefsInfoStore', 'WAWebSignalStoreApi', 'WAWebUserPrefsMultiDevice', 'WAWebCompanionRegClientUtils',
  ];
  async function qrFromModules(ref) {
    const noise = await inTime(attempt(() => module('WAWebUserPrefsInfoStore').waNoiseInfo.get()), 2);
    const registration = await inTime(
      attempt(() => module('WAWebSignalStoreApi').waSignalStore.getRegistrationInfo()), 2);
    const secret = await inTime(attempt(() => module('WAWebUserPrefsMultiDevice').getADVSecretKey()), 2);
    const platform = attempt(() => module('WAWebCompanionRegClientUtils').DEVICE_PLATFORM);
    const parts = [
      attempt(() => base64(noise.staticKeyPair.pubKey)),
      attempt(() => base64(registration.identityKeyPair.pubKey)),
      attempt(() => base64(secret)),
      platform === null ? null : String(platform),
    ];
    return parts.every((part) => part) ? [ref, ...parts].join(',') : null;
  }

  // --- scripts ------------------------------------------------------------------------------------------------
  // One that could not be fetched, and was not fetched again since: a page like that may never say anything.
  const lost = new Set();
  const script = ({ target }) => (target instanceof HTMLScriptElement && target.src) || null;
  document.addEventListener('error', (event) => { if (script(event)) lost.add(script(event)); }, true);
  document.addEventListener('load', (event) => { lost.delete(script(event)); }, true);

  // --- screen -------------------------------------------------------------------------------------------------
  const visible = (element) => element.isConnected
    && (element.checkVisibility ? element.checkVisibility() : element.getClientRects().length > 0);
  const first = (selectors) => {
    for (const selector of selectors) {
      for (const element of document.querySelectorAll(selector)) if (visible(element)) return element;
    }
    return null;
  };
  function button(pattern) {
    const wanted = new RegExp(pattern, 'i');
    for (const element of document.querySelectorAll('button, [role="button"]')) {
      const label = `${element.getAttribute('aria-label') ?? ''}\n${element.textContent ?? ''}`;
      if (label.split('\n').some((line) => wanted.test(line.trim())) && visible(element)) return element;
    }
    return null;
  }
  const find = (name) => attempt(() => {
    const { css = [], button: label } = config.selectors[name];
    return first(css) ?? (label ? button(label) : null);
  });
  function screen() {
    const seen = Object.keys(config.selectors).filter(find);
    // Words decide only where no chats and no code are: a chat may say anything.
    if (!seen.includes('chat_list') && !seen.includes('qr')) {
      const words = attempt(() => document.body.innerText.slice(0, 4000)) ?? '';
      for (const [name, { text }] of Object.entries(config.selectors)) {
        if (text && !seen.includes(name) && new RegExp(text, 'i').test(words)) seen.push(name);
      }
    }
    return seen;
  }
  const shownRef = () => attempt(() => {
    const holder = [...document.querySelectorAll('[data-ref]')].find(visible);
    return holder?.getAttribute('data-ref') || null;
  });
  function picture() {
    const canvas = attempt(() => {
      const marked = first(['[data-ref] canvas', "canvas[aria-label*='QR' i]", "canvas[aria-label*='scan' i]"]);
      return marked ?? [...document.querySelectorAll('canvas')].filter(visible).find(
        ({ width, height }) => width >= 100 && Math.abs(width - height) <= 8);
    });
    return attempt(() => {
      // A code may be drawn on nothing, and up to the edge: readers want white around it.
      const margin = Math.max(16, Math.round(canvas.width / 10));
      const paper = document.createElement('canvas');
      paper.width = canvas.width + 2 * margin;
      paper.height = canvas.height + 2 * margin;
      const ink = paper.getContext('2d');
      ink.fillStyle = 'white';
      ink.fillRect(0, 0, paper.width, paper.height);
      ink.drawImage(canvas, margin, margin);
      const { data } = ink.getImageData(0, 0, paper.width, paper.height);
      let gray = '';
      for (let at = 0; at < data.length; at += 4) {
        gray += String.fromCharCode(Math.round((data[at] + data[at + 1] + data[at + 2]) / 3));
      }
      return { width: paper.width, height: paper.height, gray: btoa(gray) };
    });
  }

  // --- what the bot asks ---------------------------------------------------------------------------------------
  const ready = () => typeof window.require === 'function' && Boolean(attempt(() => window.require('WAWebSocketModel')));
  const account = () => attempt(() => {
    const { getMaybeMePnUser, getMaybeMeUser } = module('WAWebUserPrefsMeUser');
    return (getMaybeMePnUser ?? getMaybeMeUser)()._serialized;
  }) ?? attempt(() => native.decode(native.getItem('last-wid-md')));

  async function snapshot() {
    attempt(copy);
    const loaded = document.readyState === 'complete';
    missing.clear();
    const socket = attempt(() => module('WAWebSocketModel').Socket);
    const stream = attempt(() => module('WAWebStreamModel').Stream);
    const conn = attempt(() => module('WAWebConnModel').Conn);
    const network = module('WAWebNetworkStatus');
    follow(socket, ['state', 'hasSynced', 'stream']);
    follow(stream, ['mode']);
    follow(conn, ['ref']);
    if (attempt(() => socket.state) === 'CONNECTED') attempt(() => listen(module('WAWebCollections').Msg));
    const keys = sessionKeys();
    const ref = attempt(() => conn.ref);
    // Looked at although the code may stand in the page: a name that is gone is told before it is needed.
    if (typeof ref === 'string') for (const name of QR_MODULES) module(name);
    const shown = shownRef();
    const dom = screen();
    let qr = null;
    let source = null;
    if (shown && (!ref || shown.includes(ref))) [qr, source] = [shown, 'data-ref'];
    else if (ref && typeof ref === 'string') [qr, source] = [await qrFromModules(ref), 'modules'];
    if (!qr && shown) [qr, source] = [shown, 'data-ref'];
    const online = attempt(() => network.online ?? network.default?.online ?? network.NetworkStatus?.online);
    return {
      url: location.href,
      sessionKeys: keys,
      socketState: attempt(() => socket.state),
      // Unset means "not yet", unless there is no such field at all.
      hasSynced: attempt(() => ('hasSynced' in socket ? Boolean(socket.hasSynced) : null)),
      streamMode: attempt(() => stream.mode),
      online: typeof online === 'boolean' ? online : (navigator.onLine ? null : false),
      qr,
      source: qr ? source : null,
      picture: !qr && (dom.includes('qr') || (!keys && !dom.length && loaded)) ? picture() : null,
      wid: keys ? account() : null,
      version: attempt(() => window.Debug.VERSION),
      phoneSeen,
      ready: ready(),
      incomplete: lost.size > 0,
      dom,
      missing: loaded || ready() ? [...missing].sort() : [],
    };
  }

  async function reachable(seconds) {
    let forbidden = false;
    const note = () => { forbidden = true; };
    document.addEventListener('securitypolicyviolation', note);
    const stop = new AbortController();
    native.setTimeout(() => stop.abort(), seconds * 1000);
    try {
      // HEAD passes by a service worker's cache, which would answer for a network that is away.
      await native.fetch(`${location.origin}/?_=${native.now()}`, { method: 'HEAD', cache: 'no-store', signal: stop.signal });
      return true;
    } catch {
      await new Promise((resolve) => { native.setTimeout(resolve, 0); });
      return forbidden ? null : false;
    } finally {
      document.removeEventListener('securitypolicyviolation', note);
    }
  }

  const call = (action) => attempt(() => { action(); return true; }) ?? false;
  const press = (name) => {
    const element = find(name);
    if (!element) return false;
    (element.closest('button, [role="button"]') ?? element).click();
    return true;
  };
  const refreshQr = () => call(() => window.require('WAWebLaunchSocketUtils').refreshQR())
    || call(() => window.require('WAWebCmd').Cmd.refreshQR()) || press('qr_reload');
  const takeover = () => call(() => window.require('WAWebSocketModel').Socket.takeover()) || press('use_here');
  const unlink = () => call(() => window.require('WAWebSocketModel').Socket.logout())
    || call(() => window.require('WAWebCmd').Cmd.logout());

  async function pairingCode(phone, seconds) {
    const linking = attempt(() => window.require('WAWebAltDeviceLinkingApi'));
    if (!linking) return { error: 'unavailable' };
    const deadline = native.now() + seconds * 1000;
    while (attempt(() => window.require('WAWebSocketModel').Socket.state) === 'OPENING') {
      if (native.now() > deadline) return { error: 'offline' };
      await new Promise((resolve) => { native.setTimeout(resolve, 100); });
    }
    try {
      await linking.setPairingType('ALT_DEVICE_LINKING');
      await linking.initializeAltDeviceLinking();
      const code = await inTime(linking.startAltLinkingFlow(phone, true), seconds);
      if (typeof code === 'string' && code) return { code };
      return { error: code === null ? 'timeout' : 'rejected' };
    } catch (error) {
      return { error: find('passkey') || /passkey/i.test(String(error)) ? 'passkey' : 'rejected' };
    }
  }

  const ours = { snapshot, restore, reachable, refreshQr, takeover, unlink, pairingCode };
  Object.defineProperty(window, Symbol.for('oturum'), { value: Object.freeze(ours) });
  if (location.search.includes('post_logout')) tell('post_logout', { url: location.href });
  for (const name of ['online', 'offline', 'load']) window.addEventListener(name, () => tell('change', {}));
}
