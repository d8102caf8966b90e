// What a person would see; clients that know no module find their way by it.
(() => {
  const root = () => document.getElementById('mount_0_0_aB');
  const element = (html) => {
    const holder = document.createElement('template');
    holder.innerHTML = html;
    return holder.content.firstElementChild;
  };
  let shown = '';
  function show(name, html) {
    if (!window.__simulator.dom) return null;
    shown = name;
    root().replaceChildren(element(html));
    return root().firstElementChild;
  }
  const screen = {
    get shown() { return shown; },
    splash() { show('splash', '<div id="wa_web_initial_startup"><progress></progress></div>'); },
    code(text) {
      const view = show('code', `<div><h1>Log into WhatsApp Web</h1><div class="holder">
        <canvas aria-label="Scan this QR code to link a device!" role="img" width="264" height="264"></canvas></div></div>`);
      if (!view) return;
      if (window.__simulator.dataRef) view.querySelector('.holder').setAttribute('data-ref', text);
      window.__sim.qr.draw(view.querySelector('canvas'), text);
    },
    used(refresh) {
      const view = show('used', `<div><h1>Log into WhatsApp Web</h1>
        <button aria-label="Reload QR code"><span data-icon="refresh-large">Click to reload QR code</span></button></div>`);
      view?.querySelector('button').addEventListener('click', refresh);
    },
    pairingCode(code) {
      const view = show('pairing', '<div><h1>Enter code on phone</h1><div class="code"></div></div>');
      if (!view) return;
      view.querySelector('.code').setAttribute('data-link-code', [...code].join(','));
      view.querySelector('.code').textContent = code;
    },
    passkey() { show('passkey', '<div><h1>Use your passkey</h1><p>Confirm with your passkey to link this device.</p></div>'); },
    chats() {
      if (shown === 'chats') return;
      show('chats', `<div><div id="side"><div class="notice"></div><div id="pane-side">
        <div aria-label="Chat list" role="grid"></div></div></div></div>`);
    },
    offline(away) {
      const notice = root()?.querySelector('.notice');
      if (!notice) return;
      notice.replaceChildren(...(away ? [element(
        '<span data-icon="alert-computer" class="banner">Computer not connected</span>')] : []));
    },
    conflict(takeover) {
      const view = show('conflict', `<div data-animate-modal-popup="true" role="dialog"><p>WhatsApp is open in another window.
        Click "Use Here" to use WhatsApp in this window.</p><button>Close</button><button>Use here</button></div>`);
      view?.querySelectorAll('button')[1].addEventListener('click', takeover);
    },
    banned() { show('banned', '<div><h1>This account has been banned</h1><p>This number is not allowed to use WhatsApp.</p></div>'); },
    outdated() { show('outdated', '<div><h1>WhatsApp works with Google Chrome 85+</h1><p>Update Google Chrome to use WhatsApp.</p></div>'); },
  };
  window.__sim.screen = screen;
})();
