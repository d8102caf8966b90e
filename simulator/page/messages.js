// Chats and messages: what came in, what went out, and its ticks (ack 0 clock, 1 server, 2 delivered, 3 read).
(() => {
  const { Model, Collection } = window.__sim;
  class Wid {
    constructor(text) {
      [this.user, this.server] = text.split('@');
      this._serialized = text;
    }
    toString() { return this._serialized; }
    toJSON() { return { user: this.user, server: this.server, _serialized: this._serialized }; }
    isLid() { return this.server === 'lid'; }
    isUser() { return this.server === 'c.us'; }
    isGroup() { return this.server === 'g.us'; }
    equals(other) { return String(other) === this._serialized; }
  }
  const wid = (text) => (text instanceof Wid ? text : new Wid(String(text._serialized ?? text)));
  const Msg = new Collection();
  const Chat = new Collection();
  const Contact = new Collection();
  const outbox = new Map();

  function chatOf(id) {
    const known = Chat.get(id);
    if (known) return known;
    return Chat.add(new Model({
      id: wid(id), name: wid(id).user, formattedTitle: wid(id).user, unreadCount: 0, t: Math.floor(Date.now() / 1000),
      archive: false, mute: { expiration: 0 }, msgs: [],
    }));
  }

  function add({ id, chat, fromMe, body, ack, time, fresh }) {
    const remote = wid(chat);
    const key = `${fromMe}_${remote}_${id}`;
    if (Msg.get(key)) return Msg.get(key);
    const me = window.__sim.me();
    const message = new Model({
      id: { fromMe, remote, id, _serialized: key }, body, type: 'chat', ack, t: time, from: fromMe ? me : remote,
      to: fromMe ? remote : me, isNewMsg: fresh, star: false, notifyName: fromMe ? '' : remote.user, mentionedJidList: [],
    });
    chatOf(chat);
    Msg.add(message);
    return message;
  }

  const messages = {
    Wid, wid, Msg, Chat, Contact, chatOf,
    receive(told) {
      add({ ...told, fromMe: told.own, ack: told.own ? 2 : 1, fresh: true });
      if (told.own) return;
      const chat = chatOf(told.chat);
      chat.set({ unreadCount: chat.unreadCount + 1 });
    },
    acknowledged({ id, chat, ack }) {
      outbox.delete(id);
      Msg.get(`true_${wid(chat)}_${id}`)?.set({ ack });
    },
    newId: () => Array.from(crypto.getRandomValues(new Uint8Array(8)), (one) => one.toString(16).padStart(2, '0'))
      .join('').toUpperCase(),
    /** Sends text; without a connection it waits for the next one. */
    async send(chat, body, id = messages.newId()) {
      const message = add({ id, chat, fromMe: true, body, ack: 0, time: Math.floor(Date.now() / 1000), fresh: true });
      outbox.set(id, { do: 'message', id, chat: String(wid(chat)), body });
      messages.flush();
      return message;
    },
    flush() { for (const told of outbox.values()) window.__sim.socket.say(told); },
  };
  class MsgKey {
    constructor({ to, id, participant }) {
      Object.assign(this, { fromMe: true, remote: to, id, participant, _serialized: `true_${to}_${id}` });
    }
    static async newId() { return messages.newId(); }
    toString() { return this._serialized; }
  }
  messages.MsgKey = MsgKey;
  window.__sim.messages = messages;
  window.__sim.me = () => {
    const own = window.__sim.keys.registered() ? window.__sim.keys.wid() : null;
    return own && new Wid(own.replace(/:\d+/, ''));
  };
})();
