// The connection and what the page makes of it: OPENING, PAIRING, UNPAIRED (a QR), CONNECTED, and the states that
// need a person. It reconnects by itself with Fibonacci waits from 1 s to 900 s, checks its health, and gives up a
// silent connection, as the real page does.
(() => {
  const { Emitter, Model, keys, screen, messages, qr } = window.__sim;
  const settings = window.__simulator;
  const Socket = new Model({ state: 'OPENING', stream: 'DISCONNECTED', hasSynced: undefined, launchGeneration: 0 });
  const Stream = new Model({ mode: 'QR', info: 'OPENING', available: true, displayInfo: 'OPENING' });
  const Conn = new Model({ ref: undefined, refTTL: undefined, wid: undefined, pushname: undefined, platform: 'android', battery: undefined });
  const network = new Model({ online: true });
  const Cmd = new Emitter();
  const backend = new Emitter();
  let line = null;
  let waits = [1, 1];
  let retry = null;
  let heard = 0;
  let refs = [];
  let turn = null;
  let stopped = false;
  let linkCode = null;

  const state = (value) => Socket.set({ state: value });
  const say = (what) => { if (line?.readyState === 1) line.send(JSON.stringify(what)); };

  // --- QR ---
  const codeText = (ref) => {
    const { noise, identity, advSecret } = keys;
    const text = [ref, keys.base64(noise.staticKeyPair.pubKey), keys.base64(identity.identityKeyPair.pubKey), advSecret, settings.platform].join(',');
    return settings.link ? `https://wa.me/settings/linked_devices#${text}` : text;
  };
  function nextRef() {
    clearTimeout(turn);
    const next = refs.shift();
    if (!next) {
      Conn.set({ ref: undefined });
      state('UNPAIRED_IDLE');
      screen.used(refreshQR);
      return;
    }
    Conn.set({ ref: next.ref, refTTL: next.seconds });
    say({ do: 'showing', ref: next.ref });
    if (!linkCode) screen.code(codeText(next.ref));
    turn = setTimeout(nextRef, next.seconds * 1000);
  }
  function refreshQR() {
    linkCode = null;
    state('UNPAIRED');
    say({ do: 'refs' });
  }
  function unpaired() {
    Stream.set({ mode: 'QR', info: 'NORMAL' });
    state('UNPAIRED');
    say({ do: 'refs' });
  }

  // --- logged in ---
  async function hello() {
    state('PAIRING');
    if (settings.outdated) { outdated(); return; }
    if (!keys.registered()) {
      await keys.renew();
      say({ do: 'hello', ...await keys.publicKeys() });
      return;
    }
    try {
      await keys.load();
    } catch (error) {
      if (!(error instanceof keys.StorageFailure)) throw error;
      await logout(0);
      return;
    }
    say({ do: 'login', wid: keys.wid(), noise: keys.base64(keys.noise.staticKeyPair.pubKey) });
  }
  function connected({ name }) {
    waits = [1, 1];
    Stream.set({ mode: 'MAIN', info: 'NORMAL' });
    Conn.set({ wid: window.__sim.me(), pushname: name });
    state('CONNECTED');
    backend.trigger('open_socket_stream');
    messages.flush();
  }
  function synced() {
    for (const percent of [50, 100]) Cmd.trigger('offline_progress_update_from_bridge', { progress: percent });
    progress = 100;
    if (Socket.state !== 'CONNECTED') return;
    screen.chats();
    screen.offline(false);
    if (Socket.hasSynced) return;
    Socket.set({ hasSynced: true });
    Cmd.trigger('main_loaded');
  }
  let progress = 0;

  // --- leaving ---
  async function logout(reason) {
    stopped = true;
    clearTimeout(turn);
    backend.trigger('logout', reason);
    Cmd.trigger('logout', reason);
    Socket.set({ hasSynced: undefined });
    await keys.wipe();
    location.href = `/?post_logout=1${reason === null || reason === undefined ? '' : `&logout_reason=${reason}`}`;
  }
  function stop(value, show) {
    clearTimeout(turn);
    show();
    state(value);
  }
  const outdated = () => stop('DEPRECATED_VERSION', screen.outdated);
  function takeover() {
    state('OPENING');
    say({ do: 'takeover' });
  }

  // --- pairing ---
  async function pair(told) {
    clearTimeout(turn);
    const text = `${told.wid}|${keys.base64(keys.identity.identityKeyPair.pubKey)}`;
    if (!await keys.proves(text, told.proof)) { say({ do: 'refused' }); refreshQR(); return; }
    state('PAIRING');
    screen.splash();
    await keys.register(told);
    linkCode = null;
    say({ do: 'paired', wid: told.wid });
    line.close(); // the stream begins anew, now as the registered device
  }
  async function startAltLinkingFlow(phone, _notify) {
    if (settings.passkey) { screen.passkey(); throw new Error('PasskeyRequired'); }
    say({ do: 'code', phone: String(phone), secret: keys.advSecret });
    const code = await new Promise((resolve, reject) => {
      codeWanted = { resolve, reject };
      setTimeout(() => reject(new Error('no answer')), 20000);
    });
    linkCode = code;
    screen.pairingCode(code);
    return code;
  }
  let codeWanted = null;

  const orders = {
    refs({ refs: given }) { refs = given; nextRef(); },
    unpaired,
    challenge: async ({ nonce }) => say({ do: 'proof', signature: await keys.sign(nonce) }),
    connected, synced, pair,
    code({ code }) { codeWanted?.resolve(code); },
    noCode({ why }) { codeWanted?.reject(new Error(why)); },
    logout({ reason }) { return logout(reason); },
    conflict() { stop('CONFLICT', () => screen.conflict(takeover)); },
    banned() { stop('TOS_BLOCK', screen.banned); },
    proxy() { stop('PROXYBLOCK', () => {}); },
    outdated,
    drawing: (told) => qr.paint(told),
    message(told) { messages.receive(told); say({ do: 'received', id: told.id }); },
    ack: (told) => messages.acknowledged(told),
    passkey() { settings.passkey = true; screen.passkey(); },
    hang() { for (;;); },
    async break() { await keys.put('wawc_db_enc', 'keys', 'store', null); location.reload(); },
    forget() { localStorage.clear(); location.reload(); },
    pong() {},
  };

  // --- the line ---
  function open() {
    clearTimeout(retry);
    if (stopped) return;
    state('OPENING');
    line = new WebSocket(`wss://${location.host}/ws/chat`);
    const mine = line;
    const giveUp = setTimeout(() => mine.close(), 20000);
    mine.onopen = () => {
      clearTimeout(giveUp);
      heard = Date.now();
      network.set({ online: true });
      hello().catch((error) => { console.error(error); mine.close(); });
    };
    mine.onmessage = ({ data }) => {
      heard = Date.now();
      const told = JSON.parse(data);
      Promise.resolve(orders[told.do]?.(told)).catch((error) => console.error(error));
    };
    mine.onclose = () => {
      clearTimeout(giveUp);
      if (mine !== line || stopped) return;
      clearTimeout(turn);
      Stream.set({ info: 'OPENING' });
      if (screen.shown === 'chats') screen.offline(true);
      else screen.splash();
      if (['CONFLICT', 'TOS_BLOCK', 'PROXYBLOCK', 'DEPRECATED_VERSION'].includes(Socket.state)) return;
      state('OPENING');
      retry = setTimeout(open, waits[0] * 1000 * settings.backoffScale);
      waits = [waits[1], Math.min(waits[0] + waits[1], 900)];
    };
  }
  setInterval(() => {
    if (line?.readyState !== 1) return;
    if (Date.now() - heard > settings.deadSeconds * 1000) { const old = line; line.close(); old.onclose?.(); return; }
    say({ do: 'ping' });
  }, settings.healthSeconds * 1000);
  window.addEventListener('online', () => { network.set({ online: true }); if (line?.readyState === 3) open(); });
  window.addEventListener('offline', () => network.set({ online: false }));

  Object.assign(Socket, {
    takeover, logout: () => say({ do: 'unlink' }), poke() {}, reconnect: open,
    canSend: () => Socket.state === 'CONNECTED',
  });
  Object.assign(Stream, { markAvailable() {}, markUnavailable() {} });
  Object.assign(Cmd, { refreshQR, logout: () => say({ do: 'unlink' }), logoutFromBridge: () => say({ do: 'unlink' }) });
  window.__sim.socket = { Socket, Stream, Conn, Cmd, backend, network, say, open, refreshQR, logout, startAltLinkingFlow, progress: () => progress };
})();
