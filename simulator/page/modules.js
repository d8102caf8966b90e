// The names under which clients look for things. What a name is worth to a client is in its own sources; only what is
// read by one is here.
(() => {
  const { Model, Collection, keys, messages, socket } = window.__sim;
  const { Socket, Stream, Conn, Cmd, backend, network } = socket;
  const give = (name, exports) => window.__d(name, [], () => exports);

  give('WAWebSocketModel', { Socket });
  give('WAWebStreamModel', { Stream });
  give('WAWebConnModel', { Conn });
  give('WAWebNetworkStatus', network);
  give('WAWebBackendEventBus', { BackendEventBus: Object.assign(backend, { triggerLogout: (reason) => backend.trigger('logout', reason) }) });
  give('WAWebCmd', { Cmd });
  give('WAWebLaunchSocketUtils', { refreshQR: socket.refreshQR });
  give('WAWebUserPrefsInfoStore', { waNoiseInfo: { get: async () => keys.noise } });
  give('WAWebSignalStoreApi', { waSignalStore: { getRegistrationInfo: async () => keys.identity } });
  give('WAWebUserPrefsMultiDevice', { getADVSecretKey: () => keys.advSecret });
  give('WAWebCompanionRegClientUtils', { DEVICE_PLATFORM: window.__simulator.platform });
  give('WAWebAdvSignatureApi', {});
  give('WABase64', { encodeB64: keys.base64, decodeB64: keys.bytes });
  give('WAWebLogoutReason', { LogoutReason: { ClientFatalError: 0, SyncFail: 1, InitialHistorySyncTimeout: 2, AccountLocked: 3 } });
  give('WAWebAltDeviceLinkingApi', {
    setPairingType() {},
    async initializeAltDeviceLinking() { keys.newSecret(); },
    startAltLinkingFlow: socket.startAltLinkingFlow,
  });
  give('WAWebUserPrefsMeUser', {
    getMaybeMePnUser: () => window.__sim.me(),
    getMaybeMeUser: () => window.__sim.me(),
    getMeUser: () => window.__sim.me(),
    getMaybeMeLidUser: () => { const lid = localStorage.getItem('WALid'); return lid && messages.wid(JSON.parse(lid)); },
    getMaybeMeDisplayName: () => JSON.parse(localStorage.getItem('me-display-name') ?? 'null'),
  });
  give('WAWebOfflineHandler', { OfflineMessageHandler: { getOfflineDeliveryProgress: socket.progress } });
  give('WAWebMiscBrowserUtils', { info: () => ({ os: 'Linux', name: 'Chrome', version: '1' }) });
  give('WAWebCollections', {
    Msg: messages.Msg, Chat: messages.Chat, Contact: messages.Contact, Blocklist: new Collection(),
    GroupMetadata: new Collection(), WAWebNewsletterCollection: new Collection(),
  });
  give('WAWebWidFactory', { createWid: messages.wid, createWidFromWidLike: messages.wid, createUserWid: messages.wid });
  give('WAWebFindChatAction', { findOrCreateLatestChat: async (wid) => ({ chat: messages.chatOf(wid) }) });
  give('WAWebMsgKey', messages.MsgKey);
  give('WAWebGetEphemeralFieldsMsgActionsUtils', { getEphemeralFields: () => ({}) });
  give('WAWebSendMsgChatAction', {
    addAndSendMsgToChat(chat, { id, body }) {
      const sent = messages.send(chat.id, body, id.id);
      return [sent, sent.then(() => ({ messageSendResult: 'OK' }))];
    },
  });
  give('WAWebSendTextMsgChatAction', { sendTextMsgToChat: (chat, text) => messages.send(chat.id, text) });
  give('WAWebUpdateUnreadChatAction', { sendSeen: async ({ chat }) => { chat.set({ unreadCount: 0 }); } });
  give('WAWebCallCollection', new Collection());
  give('WAWebSyncGatingUtils', { isPlaceholderMessageResendEnabled: () => false });
  give('WAWebNonMessageDataRequestPlaceholderMessageResendUtils', { async handlePlaceholderMsgsSeen() {} });
  give('WAWebAddonReactionTableMode', { reactionTableMode: { async bulkUpsert() {} } });
  give('WAWebAddonPollVoteTableMode', { pollVoteTableMode: { async bulkUpsert() {} } });
  give('WALinkify', {
    findLinks: (text) => [...String(text ?? '').matchAll(/https?:\/\/\S+/g)].map(([href]) => ({ href, suspiciousCharacters: new Set() })),
    findLink: (text) => String(text ?? '').match(/https?:\/\/\S+/)?.[0] ?? null,
  });
  give('WAWebChatGetters', { getIsNewsletter: () => false, getIsBroadcast: () => false, getIsGroup: (chat) => chat.id.isGroup() });
  give('WAWebApiContact', { getAlternateUserWid: () => null });
  give('WAWebContactModel', Model);
})();
