// A webhook receiver: verifies, answers at once, takes each event once and each order in sequence.
//
//     npm install standardwebhooks
//     ORDERTRAIL_SECRET=whsec_... node receiver.mjs 9000

import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const REMEMBERED = 100_000;

// What has been taken. Keep both in your database, in the transaction of what the event does.
export class Inbox {
  #webhook;
  #ids = new Map();
  #sequences = new Map();

  constructor(secret) {
    this.#webhook = new Webhook(secret);
  }

  // The event, or null where it is a repetition or older than what is known of its order.
  // Throws for what was not signed with the secret, or is older than five minutes.
  take(headers, body) {
    const event = this.#webhook.verify(body, headers);
    if (this.#ids.has(headers["webhook-id"])) return null;
    remember(this.#ids, headers["webhook-id"], true);
    if (event.type.startsWith("order.")) {
      const { order_id, sequence } = event.data;
      if (sequence <= (this.#sequences.get(order_id) ?? 0)) return null;
      remember(this.#sequences, order_id, sequence);
    }
    return event;
  }
}

function remember(known, key, value) {
  known.delete(key);
  known.set(key, value);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value);
}

const inbox = new Inbox(process.env.ORDERTRAIL_SECRET);

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  let event;
  try {
    event = inbox.take(request.headers, Buffer.concat(chunks).toString());
  } catch {
    response.writeHead(401).end();
    return;
  }
  response.writeHead(204).end(); // answer first, work later: the sender waits 15 seconds at most
  if (event) {
    const { order_id, sequence } = event.data;
    console.log(JSON.stringify({ type: event.type, order_id, sequence: sequence ?? null }));
  }
}).listen(Number(process.argv[2]), "127.0.0.1");
