// SPDX-License-Identifier: Apache-2.0
//
// What one writes by hand in Node: one poller, one write() per event and client, replay from the table.
// node node.js PORT DATABASE
'use strict';
const http = require('node:http');
const { DatabaseSync } = require('node:sqlite');

const [port, path] = process.argv.slice(2);
const POLL = 100, PAGE = 1000;
const database = new DatabaseSync(path, { readOnly: true });
const newer = database.prepare('SELECT id, at, payload FROM events WHERE id > ? ORDER BY id LIMIT ' + PAGE);
const render = (row) => `id: ${row.id}\ndata: ${JSON.stringify(row)}\n\n`;
const clients = new Set();
let watermark = database.prepare('SELECT coalesce(max(id), 0) AS newest FROM events').get().newest;

setInterval(() => {
  for (;;) {
    const rows = newer.all(watermark);
    for (const row of rows) {
      watermark = row.id;
      const text = render(row);
      for (const client of clients) client.write(text);
    }
    if (rows.length < PAGE) break;
  }
}, POLL);

async function replay(response, position) {
  while (!response.destroyed) {
    const rows = newer.all(position);
    let room = true;
    for (const row of rows) { room = response.write(render(row)); position = row.id; }
    if (rows.length < PAGE && position >= watermark) { clients.add(response); return; }
    if (!room) await new Promise((go) => { response.once('drain', go); response.once('close', go); });
    else await new Promise(setImmediate);
  }
}

http.createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  response.write('retry: 3000\n\n');
  response.on('close', () => clients.delete(response));
  const id = request.headers['last-event-id'];
  if (id === undefined) clients.add(response);
  else replay(response, Number(id));
}).listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
process.on('SIGTERM', () => process.exit(0));
