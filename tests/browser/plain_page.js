// `settings` stands above this text. One page of the plain stand-in; see plain_page.py.
const KEYS = ['last-wid-md', 'WANoiseInfo'];
const registered = () => KEYS.every((key) => localStorage.getItem(key) !== null);
const random = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));

class Model {
  constructor(values) { Object.assign(this, values); this.listeners = {}; }
  on(name, call) { (this.listeners[name] ??= []).push(call); }
  off(name, call) { this.listeners[name] = (this.listeners[name] ?? []).filter((each) => each !== call); }
  set(name, value) {
    if (this[name] === value) return;
    this[name] = value;
    for (const call of this.listeners[`change:${name}`] ?? []) call(this, value);
  }
}

const Socket = new Model({ state: 'OPENING', stream: 'DISCONNECTED', hasSynced: undefined });
const Stream = new Model({ mode: undefined, info: undefined });
const Conn = new Model({ ref: undefined });
const keys = { noise: random(), identity: random(), secret: random() };
let used = 0;
let turn = null;
let channel = null;
let leaving = false;
let waited = 1;

const app = document.getElementById('app');
const draw = (html) => { if (settings.dom) app.innerHTML = html; };
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const qrText = () => [Conn.ref, keys.noise, keys.identity, keys.secret, '1'].join(',');
const say = (what) => { if (channel?.readyState === 1) channel.send(JSON.stringify(what)); };

function nextRef() {
  if (used >= settings.refs) {
    Conn.set('ref', undefined);
    Socket.set('state', 'UNPAIRED_IDLE');
    draw('<div><button aria-label="Click to reload QR code"><span data-icon="refresh-large"></span></button></div>');
    app.querySelector('button')?.addEventListener('click', refreshQR);
    return;
  }
  used += 1;
  Conn.set('ref', `2@${random()}`);
  draw('<div><canvas aria-label="Scan this QR code to link a device!" width="228" height="228"></canvas></div>');
  if (settings.dom && settings.dataRef) app.firstElementChild.setAttribute('data-ref', qrText());
  say({ shows: qrText() });
  turn = setTimeout(nextRef, settings.refSeconds * 1000);
}

function refreshQR() {
  clearTimeout(turn);
  used = 0;
  Socket.set('state', 'UNPAIRED');
  nextRef();
}

function main() {
  clearTimeout(turn);
  Stream.set('mode', 'MAIN');
  Socket.set('state', 'CONNECTED');
  if (settings.syncSeconds === null) return;
  setTimeout(() => {
    if (Socket.state !== 'CONNECTED') return;
    Socket.set('hasSynced', true);
    draw('<div id="side"><div id="pane-side"><div aria-label="Chat list" role="grid"></div></div></div>');
  }, settings.syncSeconds * 1000);
}

function logout(reason) {
  Socket.set('hasSynced', undefined);
  localStorage.clear();
  location.href = `/?post_logout=1${reason == null ? '' : `&logout_reason=${reason}`}`;
}

const orders = {
  paired({ wid }) {
    localStorage.setItem('WANoiseInfo', JSON.stringify(keys));
    localStorage.setItem('last-wid-md', JSON.stringify(wid));
    Conn.set('ref', undefined);
    main();
  },
  login({ answer }) {
    if (answer === 'ok') main();
    else if (answer === 'unknown') logout(null);
    else Socket.set('state', answer);
  },
  logout({ reason }) { logout(reason); },
  state({ state }) { Socket.set('state', state); },
  draw({ rows }) {
    const canvas = app.querySelector('canvas');
    if (!canvas) return;
    const ink = canvas.getContext('2d');
    const side = Math.floor(canvas.width / rows.length);
    rows.forEach((row, y) => row.forEach((dark, x) => {
      ink.fillStyle = dark ? 'black' : 'white';
      ink.fillRect(x * side, y * side, side, side);
    }));
  },
  hang() { for (;;); },
  leave() { leaving = true; },
  forget() { localStorage.clear(); refreshQR(); },
};

function connect() {
  Socket.set('state', 'OPENING');
  channel = new WebSocket(`ws://${location.host}/ws`);
  channel.onopen = () => {
    waited = 1;
    Socket.set('state', 'PAIRING');
    if (registered()) say({ login: JSON.parse(localStorage.getItem('last-wid-md')) });
    else { Stream.set('mode', 'QR'); Socket.set('state', 'UNPAIRED'); used = 0; nextRef(); }
  };
  channel.onmessage = (event) => { const order = JSON.parse(event.data); orders[order.do](order); };
  channel.onclose = () => {
    clearTimeout(turn);
    if (leaving) { location.reload(); return; }
    Socket.set('state', 'OPENING');
    setTimeout(connect, waited * 1000);
    waited = Math.min(waited * 2, 900);
  };
}

const all = {
  WAWebSocketModel: { Socket },
  WAWebStreamModel: { Stream },
  WAWebConnModel: { Conn },
  WAWebUserPrefsInfoStore: { waNoiseInfo: { get: () => ({ staticKeyPair: { pubKey: bytes(keys.noise) } }) } },
  WAWebSignalStoreApi: {
    waSignalStore: { getRegistrationInfo: async () => ({ identityKeyPair: { pubKey: bytes(keys.identity) } }) },
  },
  WAWebUserPrefsMultiDevice: { getADVSecretKey: () => keys.secret },
  WAWebCompanionRegClientUtils: { DEVICE_PLATFORM: '1' },
  WABase64: { encodeB64: (value) => btoa(String.fromCharCode(...new Uint8Array(value))) },
  WAWebLaunchSocketUtils: { refreshQR },
  WAWebUserPrefsMeUser: {
    getMaybeMePnUser: () => {
      const wid = JSON.parse(localStorage.getItem('last-wid-md'));
      return wid && { _serialized: wid.replace(/:\d+/, ''), user: wid.split(/[:@]/)[0], server: 'c.us' };
    },
  },
};
if (settings.modules.length > 0) {
  window.require = (name) => {
    if (!settings.modules.includes(name)) throw new Error(`Requiring unknown module "${name}"`);
    return all[name];
  };
  window.Debug = { VERSION: '2.3000.1030000000' };
}
if (settings.landing && !registered()) history.replaceState(null, '', settings.landing);
setTimeout(connect, 300);
