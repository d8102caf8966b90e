// whatsapp-web.js as its users run it. Events go to standard output, one JSON object a line; orders come on standard input.
const { Client, LocalAuth } = require('whatsapp-web.js');
const readline = require('node:readline');

const { executable, args, dataPath } = JSON.parse(process.env.CLIENT);
const tell = (event, values = {}) => process.stdout.write(`${JSON.stringify({ event, ...values })}\n`);

let client;

function begin(left) {
  client = new Client({
    authStrategy: new LocalAuth({ clientId: 'shop', dataPath }),
    puppeteer: { executablePath: executable, args, headless: true },
    authTimeoutMs: 120000, // a busy machine is no reason to fail
  });
  client.on('qr', (text) => tell('qr', { text }));
  client.on('authenticated', () => tell('authenticated'));
  client.on('auth_failure', (why) => tell('auth_failure', { why: String(why) }));
  client.on('ready', () => tell('ready', { wid: client.info.wid._serialized }));
  client.on('disconnected', (reason) => tell('disconnected', { reason: String(reason) }));
  client.on('change_state', (state) => tell('state', { state }));
  client.on('message', (message) => tell('message', { from: message.from, body: message.body }));
  client.on('message_ack', (message, ack) => tell('ack', { body: message.body, ack }));
  client.initialize().then(() => tell('initialized'), async (error) => {
    // A network that comes or goes on the host (Docker's are made and removed beside this) takes the page away from Chromium.
    if (left > 0 && String(error).includes('ERR_NETWORK_CHANGED')) {
      tell('network_changed');
      await client.destroy().catch(() => {});
      begin(left - 1);
    } else {
      tell('failed', { error: String(error?.stack ?? error) });
    }
  });
}

process.on('unhandledRejection', (error) => tell('rejected', { error: String(error?.stack ?? error) }));

const orders = {
  destroy: () => client.destroy(),
  state: async () => ({ state: await client.getState() }),
  send: async ({ to, body }) => ({ id: (await client.sendMessage(to, body)).id._serialized }),
};
readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const order = JSON.parse(line);
  try { tell('done', { order: order.do, ...await orders[order.do](order) }); }
  catch (error) { tell('refused', { order: order.do, error: String(error?.stack ?? error) }); }
  if (order.do === 'destroy') process.exit(0);
});
begin(5);
