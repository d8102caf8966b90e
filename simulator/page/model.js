// Observable models and collections with the few habits that clients rely on: `change:name` with (model, value, old),
// several names in one `on`, and a collection that repeats what its models say.
(() => {
  class Emitter {
    constructor() { Object.defineProperty(this, '_calls', { value: new Map() }); }
    on(names, call, context) {
      for (const name of names.split(' ')) {
        if (!this._calls.has(name)) this._calls.set(name, []);
        this._calls.get(name).push({ call, context });
      }
      return this;
    }
    once(names, call, context) {
      for (const name of names.split(' ')) {
        const single = (...given) => { this.off(name, single); call.apply(context, given); };
        this.on(name, single);
      }
      return this;
    }
    off(names, call) {
      for (const name of names.split(' ')) {
        this._calls.set(name, (this._calls.get(name) ?? []).filter((each) => call && each.call !== call));
      }
      return this;
    }
    trigger(name, ...given) {
      for (const { call, context } of [...(this._calls.get(name) ?? [])]) {
        try { call.apply(context ?? this, given); } catch (error) { console.error(error); }
      }
      if (name !== 'all') for (const { call } of [...(this._calls.get('all') ?? [])]) call(name, ...given);
      return this;
    }
    addListener(...given) { return this.on(...given); }
    removeListener(...given) { return this.off(...given); }
    listenTo(other, names, call) { other.on(names, call, this); return this; }
  }

  class Model extends Emitter {
    constructor(values = {}) { super(); Object.assign(this, values); }
    get(name) { return this[name]; }
    set(values) {
      const changed = Object.entries(values).filter(([name, value]) => this[name] !== value);
      const before = Object.fromEntries(changed.map(([name]) => [name, this[name]]));
      for (const [name, value] of changed) this[name] = value;
      for (const [name, value] of changed) {
        this.trigger(`change:${name}`, this, value, before[name]);
        this.collection?.trigger(`change:${name}`, this, value, before[name]);
      }
      if (changed.length > 0) { this.trigger('change', this); this.collection?.trigger('change', this); }
      return this;
    }
    unset(name) { return this.set({ [name]: undefined }); }
    serialize() {
      return Object.fromEntries(Object.entries(this).filter(([, value]) => typeof value !== 'function'
        && !(value instanceof Emitter)));
    }
    toJSON() { return this.serialize(); }
    unsafe() { return this; }
  }

  class Collection extends Emitter {
    constructor() { super(); this._models = new Map(); }
    static key(id) { return typeof id === 'string' ? id : id?._serialized; }
    get(id) { return this._models.get(Collection.key(id)); }
    getModelsArray() { return [...this._models.values()]; }
    get models() { return this.getModelsArray(); }
    get length() { return this._models.size; }
    add(model) {
      if (this.get(model.id)) return this.get(model.id);
      Object.defineProperty(model, 'collection', { value: this, configurable: true });
      this._models.set(Collection.key(model.id), model);
      this.trigger('add', model, this);
      return model;
    }
    remove(id) {
      const model = this.get(id?.id ?? id);
      if (model) { this._models.delete(Collection.key(model.id)); this.trigger('remove', model); }
      return model;
    }
    async find(id) { return this.get(id); }
    async getMessagesById(ids) { return { messages: ids.map((id) => this.get(id)).filter(Boolean) }; }
  }

  window.__sim = { Emitter, Model, Collection };
})();
