// Verifies requests from standard input (one JSON document with secret, headers and body a line) with both public
// packages, and prints for each line what they say.

import { createInterface } from "node:readline";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  const said = [Standard, Svix].map((Library) => {
    try {
      new Library(secret).verify(body, headers);
      return true;
    } catch {
      return false;
    }
  });
  console.log(JSON.stringify({ standardwebhooks: said[0], svix: said[1] }));
}
