// The browser's half of a pairing. What a client must keep is what the real page keeps: localStorage's keys and, in
// IndexedDB, keys that can't be exported. A session is whole only when both agree.
(() => {
  const LOCAL = ['WANoiseInfo', 'WANoiseInfoIv', 'WAWebEncKeySalt', 'last-wid-md', 'WALid', 'me-display-name'];
  const STORES = {
    'signal-storage': ['identity', 'signed-prekey'], wawc: ['user'], wawc_db_enc: ['keys'],
    'model-storage': ['chat', 'message'], 'jobs-storage': ['jobs'],
  };
  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  const asked = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const databases = new Map();
  async function database(name) {
    if (!databases.has(name)) {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => { for (const store of STORES[name]) request.result.createObjectStore(store); };
      databases.set(name, await asked(request));
    }
    return databases.get(name);
  }
  async function put(name, store, key, value) {
    const transaction = (await database(name)).transaction(store, 'readwrite');
    transaction.objectStore(store).put(value, key);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
  }
  async function take(name, store, key) {
    return asked((await database(name)).transaction(store).objectStore(store).get(key));
  }

  const exported = async (pair) => {
    const { x, d } = await crypto.subtle.exportKey('jwk', pair.privateKey);
    const raw = (text) => bytes(text.replace(/-/g, '+').replace(/_/g, '/'));
    return { pubKey: raw(x), privKey: raw(d) };
  };
  const agreement = async () => exported(await crypto.subtle.generateKey('X25519', true, ['deriveBits']));

  class StorageFailure extends Error {}

  const keys = {
    noise: null, identity: null, advSecret: null, signer: null, store: null,
    base64, bytes, put, take, StorageFailure,
    registered: () => ['last-wid-md', 'WANoiseInfo'].every((key) => localStorage.getItem(key) !== null),
    wid: () => JSON.parse(localStorage.getItem('last-wid-md')),

    /** New keys for a page that nobody is registered on; what an earlier session left in IndexedDB is overwritten. */
    async renew() {
      keys.noise = { staticKeyPair: await agreement(), recoveryToken: crypto.getRandomValues(new Uint8Array(16)) };
      keys.identity = { registrationId: crypto.getRandomValues(new Uint16Array(1))[0], identityKeyPair: await agreement() };
      keys.newSecret();
      keys.signer = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
      keys.store = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
      await put('wawc_db_enc', 'keys', 'store', keys.store);
      await put('signal-storage', 'identity', 'own', keys.identity);
      await put('signal-storage', 'signed-prekey', 'signer', keys.signer);
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const hidden = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv }, keys.store, keys.noise.staticKeyPair.privKey);
      localStorage.setItem('WANoiseInfoIv', base64(iv));
      localStorage.setItem('WAWebEncKeySalt', base64(crypto.getRandomValues(new Uint8Array(16))));
      localStorage.setItem('WANoiseInfo', JSON.stringify(
        { pubKey: base64(keys.noise.staticKeyPair.pubKey), privKey: base64(hidden) }));
    },

    newSecret() { keys.advSecret = base64(crypto.getRandomValues(new Uint8Array(32))); },

    /** The keys of the registered session. Raises StorageFailure when the two stores don't agree. */
    async load() {
      try {
        keys.store = await take('wawc_db_enc', 'keys', 'store');
        keys.identity = await take('signal-storage', 'identity', 'own');
        keys.signer = await take('signal-storage', 'signed-prekey', 'signer');
        const kept = JSON.parse(localStorage.getItem('WANoiseInfo'));
        const privKey = await crypto.subtle.decrypt(
          { name: 'AES-GCM', iv: bytes(localStorage.getItem('WANoiseInfoIv')) }, keys.store, bytes(kept.privKey));
        if (await take('wawc', 'user', 'wid') !== keys.wid()) throw new Error('another user');
        keys.noise = { staticKeyPair: { pubKey: bytes(kept.pubKey), privKey: new Uint8Array(privKey) } };
      } catch (error) {
        throw new StorageFailure(String(error));
      }
    },

    /** Writes a pairing: IndexedDB first, localStorage last, as only the latter says "registered". */
    async register({ wid, lid, name }) {
      await put('wawc', 'user', 'wid', wid);
      localStorage.setItem('WALid', JSON.stringify(lid));
      localStorage.setItem('me-display-name', JSON.stringify(name));
      localStorage.setItem('last-wid-md', JSON.stringify(wid));
    },

    publicKeys: async () => ({
      noise: base64(keys.noise.staticKeyPair.pubKey),
      identity: base64(keys.identity.identityKeyPair.pubKey),
      signer: base64(await crypto.subtle.exportKey('spki', keys.signer.publicKey)),
    }),

    sign: async (text) => base64(await crypto.subtle.sign(
      { name: 'ECDSA', hash: 'SHA-256' }, keys.signer.privateKey, new TextEncoder().encode(text))),

    /** Whether a phone that read our code made this: only the code holds the secret. */
    async proves(text, proof) {
      const secret = await crypto.subtle.importKey(
        'raw', bytes(keys.advSecret), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
      return crypto.subtle.verify('HMAC', secret, bytes(proof), new TextEncoder().encode(text));
    },

    async wipe() {
      for (const key of LOCAL) localStorage.removeItem(key);
      localStorage.clear();
      for (const [, open] of databases) open.close();
      databases.clear();
      await Promise.all(Object.keys(STORES).map((name) => Promise.race([
        asked(indexedDB.deleteDatabase(name)).catch(() => null),
        new Promise((resolve) => { setTimeout(resolve, 500); }),
      ])));
    },
  };
  window.__sim.keys = keys;
})();
